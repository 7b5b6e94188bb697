use bgtask::prelude::*;

#[background_task(trigger = startup, host = process, nice = 20)]
async fn sync() {}

fn main() {}
