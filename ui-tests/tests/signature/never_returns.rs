use bgtask::prelude::*;

#[background_task(trigger = startup)]
async fn watch() -> ! {
    loop {
        std::future::pending::<()>().await;
    }
}

fn main() {}
