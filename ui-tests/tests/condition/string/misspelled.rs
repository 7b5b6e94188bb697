use bgtask::prelude::*;

#[background_task(trigger = startup, condition = "intrenet && ac_power")]
async fn sync() {}

fn main() {}
