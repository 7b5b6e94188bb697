use bgtask::prelude::*;

#[background_task(trigger = device(add))]
async fn sync(_: bgtask::FileChanges) {}

fn main() {}
