use bgtask::prelude::*;

#[background_task(trigger = startup, condition = intrenet)]
async fn sync() {}

fn main() {}
