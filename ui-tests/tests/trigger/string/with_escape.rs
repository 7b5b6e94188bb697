use bgtask::prelude::*;

#[background_task(trigger = "push(\"\\q\")")]
async fn sync() {}

fn main() {}
