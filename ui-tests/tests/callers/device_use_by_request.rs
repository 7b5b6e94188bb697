use bgtask::prelude::*;

#[background_task(trigger = device_use, host = process)]
async fn sync() {}

async fn now(app: &App) -> bgtask::Result<()> {
    app.task::<sync>().request(()).await?.allowed()?;
    Ok(())
}

fn main() {}
