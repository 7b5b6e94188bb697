use bgtask::prelude::*;

#[background_task(trigger = control_channel("chat"))]
async fn sync() {}

fn main() {}
