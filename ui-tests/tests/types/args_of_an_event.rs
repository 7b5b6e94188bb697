use bgtask::prelude::*;

#[background_task(trigger = system(internet_available))]
async fn sync(_: Args<String>) {}

fn main() {}
