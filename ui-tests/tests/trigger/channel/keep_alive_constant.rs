use bgtask::prelude::*;

const MINUTES: u32 = 1440;

#[background_task(trigger = control_channel("chat", keep_alive = MINUTES))]
async fn sync() {}

fn main() {}
