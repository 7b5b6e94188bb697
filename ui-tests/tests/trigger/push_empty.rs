use bgtask::prelude::*;

#[background_task(trigger = push(""))]
async fn sync() {}

fn main() {}
