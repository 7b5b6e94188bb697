use bgtask::prelude::*;

#[background_task(trigger = startup)]
struct Sync;

fn main() {}
