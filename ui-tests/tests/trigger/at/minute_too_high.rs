use bgtask::prelude::*;

#[background_task(trigger = at("23:60"))]
async fn sync() {}

fn main() {}
