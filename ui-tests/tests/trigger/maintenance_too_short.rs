use bgtask::prelude::*;

#[background_task(trigger = maintenance(14))]
async fn sync() {}

fn main() {}
