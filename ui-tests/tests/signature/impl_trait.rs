use bgtask::prelude::*;

#[background_task(trigger = startup)]
async fn sync(_task: impl Into<TaskContext>) {}

fn main() {}
