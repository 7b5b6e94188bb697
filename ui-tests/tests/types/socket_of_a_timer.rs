use bgtask::prelude::*;

#[background_task(trigger = time(15))]
async fn sync(_: bgtask::SocketActivity) {}

fn main() {}
