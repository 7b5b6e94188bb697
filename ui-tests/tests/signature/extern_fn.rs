use bgtask::prelude::*;

#[background_task(trigger = startup)]
extern "C" fn sync() {}

fn main() {}
