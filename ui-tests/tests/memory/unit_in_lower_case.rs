use bgtask::prelude::*;

#[background_task(trigger = startup, host = process, memory = "512mib")]
async fn sync() {}

fn main() {}
