use bgtask::prelude::*;

#[background_task(trigger = startup, register = 0)]
async fn sync() {}

fn main() {}
