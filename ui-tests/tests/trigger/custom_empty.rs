use bgtask::prelude::*;

#[background_task(trigger = custom(""))]
async fn sync() {}

fn main() {}
