use bgtask::prelude::*;

#[background_task(trigger = application)]
async fn sync(_: ScheduledTime) {}

fn main() {}
