use bgtask::prelude::*;

#[background_task(trigger = files(""))]
async fn sync() {}

fn main() {}
