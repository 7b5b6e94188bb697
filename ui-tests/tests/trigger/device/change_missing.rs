use bgtask::prelude::*;

#[background_task(trigger = device)]
async fn sync() {}

fn main() {}
