use bgtask::prelude::*;

#[background_task(trigger = device(add(1)))]
async fn sync() {}

fn main() {}
