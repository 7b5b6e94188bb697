use bgtask::prelude::*;

#[background_task(trigger = control_channel("chat", keepalive = 30))]
async fn sync() {}

fn main() {}
