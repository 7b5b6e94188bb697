use bgtask::prelude::*;

#[background_task(trigger = socket("tcp://127.0.0.1:65536"))]
async fn sync() {}

fn main() {}
