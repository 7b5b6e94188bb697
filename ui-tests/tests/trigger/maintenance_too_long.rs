use bgtask::prelude::*;

#[background_task(trigger = maintenance(43_201))]
async fn sync() {}

fn main() {}
