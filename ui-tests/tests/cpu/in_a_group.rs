use bgtask::prelude::*;

#[background_task(trigger = startup, host = process("media"), cpu = "10s")]
async fn sync() {}

fn main() {}
