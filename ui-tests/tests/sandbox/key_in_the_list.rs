use bgtask::prelude::*;

#[background_task(trigger = startup, host = process, sandbox(read = [path = "/etc"]))]
async fn sync() {}

fn main() {}
