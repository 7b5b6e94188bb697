use bgtask::prelude::*;

#[background_task(trigger = app_service(" "))]
async fn sync() {}

fn main() {}
