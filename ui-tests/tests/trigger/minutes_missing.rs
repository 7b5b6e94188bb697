use bgtask::prelude::*;

#[background_task(trigger = time)]
async fn sync() {}

fn main() {}
