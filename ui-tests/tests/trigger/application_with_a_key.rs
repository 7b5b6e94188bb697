use bgtask::prelude::*;

#[background_task(trigger = application(job = 5))]
async fn sync() {}

fn main() {}
