use bgtask::prelude::*;

#[background_task(trigger = startup, condition = internet && not ac_power)]
async fn sync() {}

fn main() {}
