use bgtask::prelude::*;

#[background_task(trigger = files("Pictures", recursive))]
async fn sync() {}

fn main() {}
