use bgtask::prelude::*;

#[background_task(trigger = files("/srv"))]
async fn sync(_: bgtask::DeviceChanges) {}

fn main() {}
