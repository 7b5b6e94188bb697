use bgtask::prelude::*;

#[background_task(trigger = application(5))]
async fn sync() {}

fn main() {}
