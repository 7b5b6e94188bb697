use bgtask::prelude::*;

struct Failure;

#[background_task(trigger = startup)]
fn sync() -> Result<(), Failure> {
    Ok(())
}

fn main() {}
