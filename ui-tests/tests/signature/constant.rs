use bgtask::prelude::*;

#[background_task(trigger = startup)]
const SYNC: u8 = 1;

fn main() {}
