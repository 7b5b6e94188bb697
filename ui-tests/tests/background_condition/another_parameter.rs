use bgtask::prelude::*;

#[background_condition]
async fn vpn_up(_task: TaskContext) {}

fn main() {}
