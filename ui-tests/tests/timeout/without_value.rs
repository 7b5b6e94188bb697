use bgtask::prelude::*;

#[background_task(trigger = startup, timeout)]
async fn sync() {}

fn main() {}
