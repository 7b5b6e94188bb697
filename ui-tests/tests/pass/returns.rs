//! What a task may return.
use bgtask::TaskType;
use bgtask::prelude::*;

type AppResult<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
type UnitResult = Result<(), std::fmt::Error>;

#[background_task(trigger = application)]
async fn value() -> Vec<String> {
    Vec::new()
}

#[background_task(trigger = application)]
async fn fallible() -> Result<u64, Cancelled> {
    Ok(1)
}

#[background_task(trigger = application)]
async fn aliased(task: TaskContext) -> AppResult<(u8, bool)> {
    task.checkpoint()?;
    Ok((1, true))
}

#[background_task(trigger = application)]
fn whole_alias() -> UnitResult {
    Ok(())
}

#[background_task(trigger = application)]
fn io() -> std::io::Result<()> {
    Ok(())
}

#[test]
fn the_output_is_what_is_in_the_result() {
    fn output<T: TaskType<Output = O>, O>() {}
    output::<value, Vec<String>>();
    output::<fallible, u64>();
    output::<aliased, (u8, bool)>();
    output::<whole_alias, ()>();
    output::<io, ()>();
}
