use bgtask::prelude::*;

#[background_task(trigger = application, host = process)]
async fn sync(_: bgtask::DeviceDetails) {}

fn main() {}
