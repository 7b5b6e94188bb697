use bgtask::prelude::*;

#[background_task(trigger = time(15), missed = sikp)]
async fn sync() {}

fn main() {}
