use bgtask::prelude::*;

#[background_task(trigger = startup, host = process(""))]
async fn sync() {}

fn main() {}
