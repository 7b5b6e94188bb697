use bgtask::prelude::*;

#[background_task(trigger = "0 8 * * Mon")]
async fn sync() {}

fn main() {}
