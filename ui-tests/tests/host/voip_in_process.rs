use bgtask::prelude::*;

#[background_task(trigger = voip)]
async fn sync() {}

fn main() {}
