use bgtask::prelude::*;

#[background_task(trigger = "time(15")]
async fn sync() {}

fn main() {}
