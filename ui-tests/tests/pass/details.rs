//! Every parameter a trigger gives, in any order and pattern.
use bgtask::prelude::*;
use bgtask::{DeviceChanges, FileChanges, NetworkDetails, SocketActivity, TaskType};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Job {
    files: Vec<String>,
}

#[background_task(trigger = custom("scan"))]
async fn scan(
    State(limit): State<usize>,
    Args(Job { files }): Args<Job>,
    task: TaskContext,
) -> usize {
    drop(task);
    files.len().min(*limit)
}

#[background_task(trigger = cron("0 3 * * Mon-Fri", tz = "Europe/Berlin"))]
fn nightly(due: ScheduledTime, mut task: bgtask::TaskContext) {
    let _ = (&mut task, due);
}

#[background_task(trigger = system(internet_available))]
async fn online(_: NetworkDetails) {}

#[background_task(trigger = files("~/Pictures", recursive))]
async fn pictures(_: FileChanges, _: TaskContext) {}

#[background_task(trigger = device(add | remove, subsystem = "usb"))]
fn drives(State(_): State<usize>, _: DeviceChanges) {}

#[background_task(trigger = socket("unix:/run/chat"))]
async fn chat(_: SocketActivity) {}

#[background_task(trigger = control_channel("mail", keep_alive = 30))]
fn mail(_: TaskContext, _: SocketActivity) {}

#[test]
fn the_type_beside_a_function_knows_its_arguments_and_output() {
    fn carries<T: TaskType<Args = Job, Output = usize>>() {}
    carries::<scan>();
    fn nothing<T: TaskType<Args = (), Output = ()>>() {}
    nothing::<nightly>();
    nothing::<online>();
}
