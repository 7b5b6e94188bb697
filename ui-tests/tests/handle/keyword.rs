use bgtask::prelude::*;

#[background_task(trigger = startup, handle = fn)]
async fn sync() {}

fn main() {}
