use bgtask::prelude::*;

#[background_task(trigger = startup)]
async fn sync(_task: &TaskContext) {}

fn main() {}
