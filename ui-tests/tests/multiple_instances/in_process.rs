use bgtask::prelude::*;

#[background_task(trigger = startup, host = in_process, multiple_instances)]
async fn sync() {}

fn main() {}
