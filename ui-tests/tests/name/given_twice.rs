use bgtask::prelude::*;

#[background_task(trigger = startup, name = "a", name = "b")]
async fn sync() {}

fn main() {}
