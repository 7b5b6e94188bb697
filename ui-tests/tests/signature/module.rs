use bgtask::prelude::*;

#[background_task(trigger = startup)]
mod sync {}

fn main() {}
