use bgtask::prelude::*;

#[background_task(trigger = startup)]
unsafe fn sync<T>(_task: &TaskContext) {}

fn main() {}
