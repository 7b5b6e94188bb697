use bgtask::prelude::*;

#[background_task(name = "first", trigger = startup, host = process("media"), env(A = "1"))]
#[background_task(name = "second", trigger = startup, host = process("media"))]
async fn sync() {}

fn main() {}
