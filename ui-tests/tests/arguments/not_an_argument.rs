use bgtask::prelude::*;

#[background_task(trigger = startup, 15)]
async fn sync() {}

fn main() {}
