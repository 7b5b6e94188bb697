use bgtask::prelude::*;

#[background_task(trigger = time(15, once, once))]
async fn sync() {}

fn main() {}
