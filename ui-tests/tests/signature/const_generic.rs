use bgtask::prelude::*;

#[background_task(trigger = startup)]
async fn sync<const N: usize>() {}

fn main() {}
