use bgtask::prelude::*;

#[background_task(trigger = startup, host = process("media", "files"))]
async fn sync() {}

fn main() {}
