use bgtask::prelude::*;

#[background_task(trigger = startup, condition = "internet && no_internet")]
async fn sync() {}

fn main() {}
