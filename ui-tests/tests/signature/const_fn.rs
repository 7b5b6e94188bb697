use bgtask::prelude::*;

#[background_task(trigger = startup)]
const fn sync() {}

fn main() {}
