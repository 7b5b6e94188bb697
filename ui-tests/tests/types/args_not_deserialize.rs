use bgtask::prelude::*;

#[derive(serde::Serialize)]
struct Job;

#[background_task(trigger = application)]
async fn resize(_: Args<Job>) {}

fn main() {}
