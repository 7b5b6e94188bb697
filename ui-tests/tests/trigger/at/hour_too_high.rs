use bgtask::prelude::*;

#[background_task(trigger = at("24:00"))]
async fn sync() {}

fn main() {}
