use bgtask::prelude::*;

#[background_task(trigger = startup, nice = 10)]
async fn sync() {}

fn main() {}
