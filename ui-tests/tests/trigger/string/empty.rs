use bgtask::prelude::*;

#[background_task(trigger = "")]
async fn sync() {}

fn main() {}
