use bgtask::prelude::*;

#[background_task(trigger = startup, host = process, nice = -21)]
async fn sync() {}

fn main() {}
