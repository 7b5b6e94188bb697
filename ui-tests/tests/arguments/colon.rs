use bgtask::prelude::*;

#[background_task(trigger: startup)]
async fn sync() {}

fn main() {}
