use bgtask::prelude::*;

#[background_task(trigger = startup)]
enum Sync {}

fn main() {}
