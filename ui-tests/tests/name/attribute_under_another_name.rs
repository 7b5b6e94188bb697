use bgtask::background_task as task;

#[task(name = "often", trigger = time(15))]
#[task(name = "rarely", trigger = every("7d"))]
async fn sync() {}

fn main() {}
