use bgtask::prelude::*;

#[background_task(trigger = system(internet))]
async fn sync() {}

fn main() {}
