use bgtask::prelude::*;

#[background_task(trigger = startup, exclusive = " ")]
async fn sync() {}

fn main() {}
