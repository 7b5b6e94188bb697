use bgtask::prelude::*;

#[background_task(trigger = every("10 secnds"))]
async fn sync() {}

fn main() {}
