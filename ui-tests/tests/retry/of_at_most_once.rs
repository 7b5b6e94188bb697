use bgtask::prelude::*;

#[background_task(trigger = startup, retry(max = 5), delivery = at_most_once)]
async fn sync() {}

fn main() {}
