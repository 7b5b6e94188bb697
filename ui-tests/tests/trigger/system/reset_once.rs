use bgtask::prelude::*;

#[background_task(trigger = system(control_channel_reset, once))]
async fn sync() {}

fn main() {}
