use bgtask::prelude::*;

#[background_task(trigger = device_use)]
async fn sync() {}

fn main() {}
