use bgtask::prelude::*;

#[background_task(condition = internet)]
async fn sync() {}

fn main() {}
