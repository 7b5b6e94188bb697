use bgtask::prelude::*;

#[background_task(trigger = startup)]
unsafe fn sync() {}

fn main() {}
