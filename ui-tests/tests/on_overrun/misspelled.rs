use bgtask::prelude::*;

#[background_task(trigger = startup, on_overrun = abrot)]
async fn sync() {}

fn main() {}
