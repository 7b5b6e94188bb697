use bgtask::prelude::*;

#[background_task(trigger = application)]
async fn resize(_: Args) {}

fn main() {}
