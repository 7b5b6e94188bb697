use bgtask::prelude::*;

#[background_task(trigger = application)]
async fn resize(_: Args<String>, _: Args<u32>) {}

fn main() {}
