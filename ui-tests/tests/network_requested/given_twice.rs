use bgtask::prelude::*;

#[background_task(trigger = startup, network_requested, network_requested)]
async fn sync() {}

fn main() {}
