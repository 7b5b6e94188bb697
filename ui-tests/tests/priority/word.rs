use bgtask::prelude::*;

#[background_task(trigger = startup, priority = high)]
async fn sync() {}

fn main() {}
