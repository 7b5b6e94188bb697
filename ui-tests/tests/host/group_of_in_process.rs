use bgtask::prelude::*;

#[background_task(trigger = startup, host = in_process("media"))]
async fn sync() {}

fn main() {}
