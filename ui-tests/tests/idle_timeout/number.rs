use bgtask::prelude::*;

#[background_task(trigger = startup, idle_timeout = 60)]
async fn sync() {}

fn main() {}
