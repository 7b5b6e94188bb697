use bgtask::prelude::*;

#[background_task(trigger = startup, condition = session_connected && ac_power && session_disconnected)]
async fn sync() {}

fn main() {}
