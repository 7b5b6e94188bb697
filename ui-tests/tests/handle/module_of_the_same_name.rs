use bgtask::prelude::*;

mod refresh {}

#[background_task(trigger = startup)]
async fn refresh() {}

fn main() {}
