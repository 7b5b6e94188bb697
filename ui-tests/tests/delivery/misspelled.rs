use bgtask::prelude::*;

#[background_task(trigger = startup, delivery = at_most_onec)]
async fn sync() {}

fn main() {}
