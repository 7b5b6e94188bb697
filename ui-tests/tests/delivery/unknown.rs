use bgtask::prelude::*;

#[background_task(trigger = startup, delivery = exactly)]
async fn sync() {}

fn main() {}
