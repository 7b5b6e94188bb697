use bgtask::prelude::*;

#[background_task(trigger = startup, host = process("media"), multiple_instances)]
async fn sync() {}

fn main() {}
