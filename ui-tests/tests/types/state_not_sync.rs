use bgtask::prelude::*;

#[background_task(trigger = startup)]
async fn sync(_: State<std::cell::Cell<u8>>) {}

fn main() {}
