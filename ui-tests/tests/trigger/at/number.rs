use bgtask::prelude::*;

#[background_task(trigger = at(2))]
async fn sync() {}

fn main() {}
