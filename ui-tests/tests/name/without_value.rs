use bgtask::prelude::*;

#[background_task(trigger = startup, name)]
async fn sync() {}

fn main() {}
