//! `bgtask history`: how runs ended.

use bgtask::{
    RunRecord,
    inspect::{Request, Response},
};
use serde_json::json;

use crate::{
    app::{Source, Which, unexpected},
    output::{Done, first_line, or_dash, print, print_json, table, time},
};

/// Shows how runs ended, newest first
///
/// Times are in UTC.
#[derive(Debug, clap::Args)]
pub(crate) struct History {
    /// The task's name; all tasks unless stated
    name: Option<String>,
    /// How many runs at most
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    #[command(flatten)]
    which: Which,
}

impl History {
    pub(crate) async fn run(self) -> Done {
        let mut app = self.which.open().await?;
        let runs = match &mut app.source {
            Source::Live(live) => {
                let request = Request::History {
                    task: self.name,
                    limit: self.limit,
                };
                match live.ask(&request).await? {
                    Response::History { runs } => runs,
                    _ => return Err(unexpected()),
                }
            }
            Source::Offline(store) => store.history(self.name.as_deref(), self.limit).await?,
        };
        app.tell_if_offline();
        if self.which.json {
            return print_json(&json!({ "app": app.id, "broker": app.broker(), "runs": runs }));
        }
        if runs.is_empty() {
            return print(format_args!("{}: no run has ended", app.id));
        }
        print(human(&runs))
    }
}

fn human(runs: &[RunRecord]) -> String {
    let head = ["ENDED", "NAME", "TRY", "STARTED", "OUTCOME"].map(str::to_owned);
    let mut rows = vec![head];
    for run in runs {
        let mut outcome = first_line(&run.outcome.to_string()).to_owned();
        if let Some(at) = run.retry_at {
            outcome.push_str(&format!("; again at {}", time(at)));
        }
        rows.push([
            time(run.ended),
            run.task.clone(),
            run.attempt.to_string(),
            or_dash(run.started.map(time)),
            outcome,
        ]);
    }
    table(&rows)
}
