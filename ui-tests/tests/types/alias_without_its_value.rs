use bgtask::prelude::*;

type AppResult<E> = Result<u8, E>;

#[background_task(trigger = startup)]
async fn sync() -> AppResult<String> {
    Ok(1)
}

fn main() {}
