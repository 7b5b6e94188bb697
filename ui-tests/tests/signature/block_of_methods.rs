use bgtask::prelude::*;

struct Sync;

#[background_task(trigger = startup)]
impl Sync {}

fn main() {}
