use bgtask::prelude::*;

#[background_task(trigger = every("999us"))]
async fn sync() {}

fn main() {}
