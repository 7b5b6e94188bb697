use bgtask::prelude::*;

#[background_task(trigger = application)]
async fn resize() -> usize {
    1
}

async fn ask(run: bgtask::Run<resize>) {
    let _: Result<String, _> = run.completed().await;
}

fn main() {}
