use bgtask::prelude::*;

#[background_task(trigger = startup, name = "two\nlines")]
async fn sync() {}

fn main() {}
