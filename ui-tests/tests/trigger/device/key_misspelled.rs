use bgtask::prelude::*;

#[background_task(trigger = device(add, subsytem = "usb"))]
async fn sync() {}

fn main() {}
