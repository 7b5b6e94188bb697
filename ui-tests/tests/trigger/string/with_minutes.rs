use bgtask::prelude::*;

#[background_task(trigger = "time(5)")]
async fn sync() {}

fn main() {}
