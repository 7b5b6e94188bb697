use bgtask::prelude::*;

#[background_task(trigger = internet_available)]
async fn sync() {}

fn main() {}
