use bgtask::prelude::*;

#[background_task(trigger = time(15))]
async fn sync() {}

async fn now(app: &App) -> bgtask::Result<()> {
    app.task::<sync>().request(()).await?.allowed()?;
    Ok(())
}

fn main() {}
