use bgtask::prelude::*;

#[background_task(trigger = application, host = process)]
async fn sync() {}

async fn now(app: &App) -> bgtask::Result<()> {
    app.task::<sync>().request_device("/dev/null", ()).await?.allowed()?;
    Ok(())
}

fn main() {}
