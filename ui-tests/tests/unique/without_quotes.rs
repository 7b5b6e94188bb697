use bgtask::prelude::*;

#[background_task(trigger = startup, unique = scan)]
async fn sync() {}

fn main() {}
