use bgtask::prelude::*;

#[background_task(trigger = time(15, once = maybe))]
async fn sync() {}

fn main() {}
