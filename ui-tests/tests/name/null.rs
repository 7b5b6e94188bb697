use bgtask::prelude::*;

#[background_task(trigger = startup, name = "null\0")]
async fn sync() {}

fn main() {}
