use bgtask::prelude::*;

#[background_task(trigger = startup, condition = "vpn_up")]
async fn sync() {}

fn main() {}
