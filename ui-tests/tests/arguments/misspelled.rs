use bgtask::prelude::*;

#[background_task(trigger = startup, prioritiy = 3)]
async fn sync() {}

fn main() {}
