use bgtask::prelude::*;

#[bgtask::main]
async fn main(_task: TaskContext) {}
