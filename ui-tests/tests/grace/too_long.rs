use bgtask::prelude::*;

#[background_task(trigger = startup, grace = "61m")]
async fn sync() {}

fn main() {}
