use bgtask::prelude::*;

#[derive(serde::Deserialize)]
struct Summary;

#[background_task(trigger = startup)]
async fn sync() -> Summary {
    Summary
}

fn main() {}
