use bgtask::prelude::*;

#[background_task(trigger = control_channel("chat", keep_alive = 14))]
async fn sync() {}

fn main() {}
