use bgtask::prelude::*;

#[background_task(trigger = at("02:30", tz = "Erope/Berlin"))]
async fn sync() {}

fn main() {}
