//! One task on a timer, one in a process of its own: `cargo run --example hello -- FILE…`
use bgtask::prelude::*;

#[background_task(trigger = every("2s"), condition = internet)]
async fn heartbeat() {
    println!("online");
}

/// Counts the lines of files, in a process of its own.
#[background_task(trigger = application, host = process)]
fn count_lines(task: TaskContext, Args(files): Args<Vec<String>>) -> std::io::Result<usize> {
    let mut lines = 0;
    for (done, file) in files.iter().enumerate() {
        lines += std::fs::read_to_string(file)?.lines().count();
        task.progress(done + 1, files.len());
    }
    Ok(lines)
}

#[bgtask::main]
async fn main(app: App) -> Result<(), Box<dyn std::error::Error>> {
    let files = std::env::args().skip(1).collect();
    let run = app.task::<count_lines>().request(files).await?.allowed()?;
    let mut progress = run.progress();
    while let Some(now) = progress.next().await {
        println!("{} of {} files", now.done, now.total);
    }
    println!("{} lines", run.completed().await?);
    Ok(app.run_until_shutdown().await?)
}
