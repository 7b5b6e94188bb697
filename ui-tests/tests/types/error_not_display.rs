use bgtask::prelude::*;

struct Failure;

#[background_task(trigger = startup)]
async fn sync() -> Result<(), Failure> {
    Ok(())
}

fn main() {}
