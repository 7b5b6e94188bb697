use bgtask::prelude::*;

#[background_task(trigger = device(add | add))]
async fn sync() {}

fn main() {}
