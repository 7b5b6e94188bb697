//! A program of edition 2021 that knows bgtask under another name.
#![deny(warnings, clippy::pedantic)]
#![forbid(unsafe_code)]

use bg::prelude::*;

/// A word that only a later edition keeps for itself.
mod gen {
    pub(super) const MINUTES: u32 = 20;
}

#[background_condition(crate = ::bg)]
async fn unlocked(report: ConditionReporter) {
    report.set(true);
}

#[background_task(trigger = time(gen::MINUTES), condition = self::unlocked, crate = ::bg)]
async fn sync(task: TaskContext) -> Result<(), Cancelled> {
    task.checkpoint()
}

#[bg::background_task(trigger = application, name = "resize", crate = ::bg)]
fn resize(Args(files): Args<Vec<String>>) -> usize {
    files.len()
}

fn setup(app: AppBuilder) -> std::io::Result<AppBuilder> {
    let home = std::env::current_dir()?;
    Ok(app.id("edition-2021").state(home))
}

#[bg::main(setup = setup, crate = ::bg)]
async fn main(app: App) -> bg::Result<()> {
    let _ = app.task::<resize>().request(Vec::new()).await?;
    app.run_until_shutdown().await
}
