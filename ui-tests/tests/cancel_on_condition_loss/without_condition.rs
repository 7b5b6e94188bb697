use bgtask::prelude::*;

#[background_task(trigger = startup, cancel_on_condition_loss)]
async fn sync() {}

fn main() {}
