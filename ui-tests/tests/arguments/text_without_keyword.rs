use bgtask::prelude::*;

#[background_task("time(15)")]
async fn sync() {}

fn main() {}
