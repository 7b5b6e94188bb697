use bgtask::prelude::*;

#[background_task(trigger = startup, condition = internet, condition = no_internet)]
async fn sync() {}

fn main() {}
