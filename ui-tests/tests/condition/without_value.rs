use bgtask::prelude::*;

#[background_task(trigger = startup, condition = )]
async fn sync() {}

fn main() {}
