use bgtask::prelude::*;

#[background_task(trigger = startup, condition = internet && ac_power && no_internet)]
async fn sync() {}

fn main() {}
