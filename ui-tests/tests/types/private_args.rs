use bgtask::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct Job;

#[background_task(trigger = application)]
pub async fn resize(_: Args<Job>) {}

fn main() {}
