use bgtask::prelude::*;

#[background_task(trigger = device_use, host = process, condition = internet)]
async fn sync() {}

fn main() {}
