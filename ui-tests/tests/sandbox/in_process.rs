use bgtask::prelude::*;

#[background_task(trigger = startup, sandbox(read = ["/etc"]))]
async fn sync() {}

fn main() {}
