use bgtask::prelude::*;

#[background_task(trigger = banana)]
async fn sync() {}

fn main() {}
