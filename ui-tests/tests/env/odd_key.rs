use bgtask::prelude::*;

#[background_task(trigger = startup, host = process, env("A=B" = "value"))]
async fn sync() {}

fn main() {}
