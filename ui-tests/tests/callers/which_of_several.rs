use bgtask::prelude::*;

#[background_task(trigger = startup, name = "first")]
#[background_task(trigger = time(15), name = "second")]
async fn sync() {}

fn request<F: bgtask::NamedTask>() {}

fn main() {
    request::<sync>();
}
