use bgtask::prelude::*;

#[background_task(trigger = at("2:30 am"))]
async fn sync() {}

fn main() {}
