use bgtask::prelude::*;

#[background_task(trigger = startup, registration_group = "")]
async fn sync() {}

fn main() {}
