use bgtask::prelude::*;

#[background_task(trigger = startup, timeout = 600)]
async fn sync() {}

fn main() {}
