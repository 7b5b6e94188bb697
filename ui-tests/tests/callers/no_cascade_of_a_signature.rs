use bgtask::prelude::*;

#[background_task(trigger = application)]
unsafe fn resize(Args(_name): Args<String>) -> usize {
    1
}

async fn ask(app: &App) {
    let _ = app.task::<resize>().request("a".to_owned()).await;
}

fn main() {}
