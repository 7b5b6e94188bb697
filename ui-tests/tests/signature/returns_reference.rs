use bgtask::prelude::*;

#[background_task(trigger = startup)]
async fn sync() -> &'static str {
    "done"
}

fn main() {}
