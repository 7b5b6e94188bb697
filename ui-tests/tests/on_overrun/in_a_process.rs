use bgtask::prelude::*;

#[background_task(trigger = startup, host = process, on_overrun = abort)]
async fn sync() {}

fn main() {}
