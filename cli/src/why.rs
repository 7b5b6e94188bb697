//! `bgtask why`: why tasks do or do not run.

use bgtask::inspect::{Request, Response};
use serde_json::json;

use crate::{
    app::{Source, Which, unexpected},
    output::{Done, print, print_json, visible},
};

/// Says why a task does or does not run
///
/// Times are in the zone that the last line names; without a running app, in UTC.
#[derive(Debug, clap::Args)]
pub(crate) struct Why {
    /// The task's name; all tasks unless stated
    name: Option<String>,
    #[command(flatten)]
    which: Which,
}

impl Why {
    pub(crate) async fn run(self) -> Done {
        let mut app = self.which.open().await?;
        let answers = match &mut app.source {
            Source::Live(live) => match live.ask(&Request::Why { task: self.name }).await? {
                Response::Why { answers } => answers,
                _ => return Err(unexpected()),
            },
            Source::Offline(store) => store.why(self.name.as_deref()).await?,
        };
        app.tell_if_offline();
        if self.which.json {
            return print_json(
                &json!({ "app": app.id, "broker": app.broker(), "answers": answers }),
            );
        }
        if answers.is_empty() {
            return print(format_args!("{}: 0 tasks", app.id));
        }
        for answer in &answers {
            // What a broker says begins with the task's name; what a store holds does not.
            let named = answer.text.starts_with(&answer.task);
            if !named {
                print(visible(&answer.task))?;
            }
            let indent = if named { "" } else { "  " };
            for line in answer.text.lines() {
                print(format_args!("{indent}{}", visible(line)))?;
            }
        }
        Ok(())
    }
}
