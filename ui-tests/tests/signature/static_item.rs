use bgtask::prelude::*;

#[background_task(trigger = startup)]
static SYNC: fn() = || {};

fn main() {}
