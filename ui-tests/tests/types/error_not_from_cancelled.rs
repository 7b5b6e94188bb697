use bgtask::prelude::*;

struct MailError;

impl std::fmt::Display for MailError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no mail")
    }
}

#[background_task(trigger = time(15))]
async fn sync_mail(task: TaskContext) -> Result<(), MailError> {
    task.checkpoint()?;
    Ok(())
}

fn main() {}
