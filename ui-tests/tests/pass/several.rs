//! One function, two tasks.
#![deny(warnings)]
use bgtask::{TaskContext, TaskType, background_task};

#[background_task(name = "several.hourly", trigger = every("1h"))]
#[bgtask::background_task(name = "several.asked", trigger = application)]
pub(super) async fn refresh(_task: TaskContext) -> u32 {
    7
}

#[test]
fn they_share_a_type() {
    fn output<T: TaskType<Output = u32>>() {}
    output::<refresh>();
}
