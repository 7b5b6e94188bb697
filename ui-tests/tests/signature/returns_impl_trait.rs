use bgtask::prelude::*;

#[background_task(trigger = startup)]
async fn sync() -> impl std::fmt::Display {
    1
}

fn main() {}
