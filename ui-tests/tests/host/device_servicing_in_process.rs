use bgtask::prelude::*;

#[background_task(trigger = device_servicing, host = in_process)]
async fn sync() {}

fn main() {}
