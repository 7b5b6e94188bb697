use bgtask::prelude::*;

#[background_task(trigger = control_channel("chatchatchatchatchatchatchatchatchatchatchatchatchatchatchatchats", keep_alive = 30))]
async fn sync() {}

fn main() {}
