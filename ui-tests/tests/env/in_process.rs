use bgtask::prelude::*;

#[background_task(trigger = startup, env(KEY = "value"))]
async fn sync() {}

fn main() {}
