use bgtask::prelude::*;

#[background_task(trigger = startup, standby =)]
async fn sync() {}

fn main() {}
