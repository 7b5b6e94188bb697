use bgtask::prelude::*;

#[background_task(trigger = socket("127.0.0.1:7000"))]
async fn sync() {}

fn main() {}
