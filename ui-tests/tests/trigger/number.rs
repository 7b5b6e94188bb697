use bgtask::prelude::*;

#[background_task(trigger = 15)]
async fn sync() {}

fn main() {}
