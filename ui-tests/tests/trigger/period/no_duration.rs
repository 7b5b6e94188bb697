use bgtask::prelude::*;

#[background_task(trigger = every("soon"))]
async fn sync() {}

fn main() {}
