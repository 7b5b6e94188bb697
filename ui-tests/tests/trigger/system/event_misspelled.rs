use bgtask::prelude::*;

#[background_task(trigger = system(internet_availble))]
async fn sync() {}

fn main() {}
