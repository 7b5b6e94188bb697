use bgtask::prelude::*;

#[background_task(trigger = time(15), trigger = startup)]
async fn sync() {}

fn main() {}
