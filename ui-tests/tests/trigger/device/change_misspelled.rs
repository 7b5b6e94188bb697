use bgtask::prelude::*;

#[background_task(trigger = device(rmove, subsystem = "usb"))]
async fn sync() {}

fn main() {}
