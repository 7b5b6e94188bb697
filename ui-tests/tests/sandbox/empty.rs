use bgtask::prelude::*;

#[background_task(trigger = startup, host = process, sandbox())]
async fn sync() {}

fn main() {}
