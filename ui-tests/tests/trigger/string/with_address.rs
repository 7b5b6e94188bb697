use bgtask::prelude::*;

#[background_task(trigger = "socket(\"tpc://localhost:7000\")")]
async fn sync() {}

fn main() {}
