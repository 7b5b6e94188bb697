use bgtask::prelude::*;

#[background_task(trigger = "tmie(15)")]
async fn sync() {}

fn main() {}
