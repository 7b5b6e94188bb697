use bgtask::prelude::*;

#[background_task(trigger = files("~/Pictures", recursve))]
async fn sync() {}

fn main() {}
