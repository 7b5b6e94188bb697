use bgtask::prelude::*;

#[background_task(trigger = startup, retry(mxa = 5))]
async fn sync() {}

fn main() {}
