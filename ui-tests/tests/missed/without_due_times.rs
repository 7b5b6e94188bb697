use bgtask::prelude::*;

#[background_task(trigger = startup, missed = skip)]
async fn sync() {}

fn main() {}
