use bgtask::prelude::*;

#[background_task(trigger = time(15) || application)]
async fn sync() {}

fn main() {}
