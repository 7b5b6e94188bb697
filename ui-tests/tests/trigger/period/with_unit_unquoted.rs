use bgtask::prelude::*;

#[background_task(trigger = every(10s))]
async fn sync() {}

fn main() {}
