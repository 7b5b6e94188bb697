use bgtask::prelude::*;

#[background_task(trigger = startup, condition = ac_power && !ac_power)]
async fn sync() {}

fn main() {}
