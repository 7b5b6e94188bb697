/// Stands in a file of its own.
#[background_task(trigger = startup)]
async fn from_another_file() {}
