use bgtask::prelude::*;

#[background_task(trigger = startup, host = process, sandbox(raed = ["/etc"]))]
async fn sync() {}

fn main() {}
