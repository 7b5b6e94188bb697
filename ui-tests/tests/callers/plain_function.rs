use bgtask::prelude::*;

async fn resize() {}

fn ask(app: &App) {
    let _ = app.task::<resize>();
}

fn main() {}
