use bgtask::prelude::*;

#[background_task(trigger = startup)]
async fn sync<T: Default>() {}

fn main() {}
