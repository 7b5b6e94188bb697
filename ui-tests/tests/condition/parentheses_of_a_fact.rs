use bgtask::prelude::*;

#[background_task(trigger = startup, condition = internet(5))]
async fn sync() {}

fn main() {}
