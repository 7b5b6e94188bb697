use bgtask::prelude::*;

#[background_task(trigger = internet)]
async fn sync() {}

fn main() {}
