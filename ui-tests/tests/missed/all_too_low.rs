use bgtask::prelude::*;

#[background_task(trigger = time(15), missed = all(0))]
async fn sync() {}

fn main() {}
