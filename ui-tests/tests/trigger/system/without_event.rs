use bgtask::prelude::*;

#[background_task(trigger = system)]
async fn sync() {}

fn main() {}
