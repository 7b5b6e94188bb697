use bgtask::Args as Arguments;
use bgtask::background_task;

#[background_task(trigger = application)]
async fn resize(_: Arguments<String>) {}

fn main() {}
