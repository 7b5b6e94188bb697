use bgtask::prelude::*;

#[background_task(trigger = startup, condition = "(internet")]
async fn sync() {}

fn main() {}
