use bgtask::prelude::*;

#[background_task(trigger = "push(\"news)")]
async fn sync() {}

fn main() {}
