use bgtask::prelude::*;

#[background_task(trigger = startup, host = process, env(KEY = "a", KEY = "b"))]
async fn sync() {}

fn main() {}
