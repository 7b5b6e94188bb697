use bgtask::prelude::*;

#[background_task(trigger = startup, condition = time(15))]
async fn sync() {}

fn main() {}
