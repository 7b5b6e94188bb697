use bgtask::prelude::*;

#[background_task(trigger = startup, condition = banana)]
async fn sync() {}

fn main() {}
