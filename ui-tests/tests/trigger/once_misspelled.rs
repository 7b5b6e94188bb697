use bgtask::prelude::*;

#[background_task(trigger = time(15, onec))]
async fn sync() {}

fn main() {}
