use bgtask::prelude::*;

#[background_task(trigger = application)]
async fn resize(Args(_name): Args<String>) {}

async fn ask(app: &App) {
    let _ = app.task::<resize>().request(5).await;
}

fn main() {}
