use bgtask::prelude::*;

#[background_task(trigger = files("Pictures"))]
async fn sync() {}

fn main() {}
