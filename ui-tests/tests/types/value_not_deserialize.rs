use bgtask::prelude::*;

#[derive(serde::Serialize)]
struct Summary;

#[background_task(trigger = startup)]
async fn sync() -> Result<Summary, std::fmt::Error> {
    Ok(Summary)
}

fn main() {}
