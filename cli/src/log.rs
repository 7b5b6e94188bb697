//! `bgtask log`: what happened.

use bgtask::{
    Event, LogQuery,
    inspect::{Request, Response},
};
use jiff::Timestamp;
use serde_json::json;

use crate::{
    app::{Source, Which, unexpected},
    output::{Done, first_line, print, print_json, table, time},
    since::Since,
};

/// Shows what happened, the newest last
///
/// Fires, holds, starts, ends, and what was registered, refused, paused or denied; progress is not
/// kept. A running app tells the newest 1000 at most. Times are in UTC.
#[derive(Debug, clap::Args)]
pub(crate) struct Log {
    /// The task's name; all tasks, and the app itself, unless stated
    name: Option<String>,
    /// How many events at most, the newest
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Only what happened then or later: a duration ago (`2h`, `3 days`) or a time
    /// (`2026-01-02T03:04Z`; without a zone it is the system's)
    #[arg(long, value_name = "WHEN")]
    since: Option<Since>,
    #[command(flatten)]
    which: Which,
}

impl Log {
    pub(crate) async fn run(self) -> Done {
        let mut app = self.which.open().await?;
        let (task, limit) = (self.name, self.limit);
        let since = self.since.map(|since| since.at(Timestamp::now()));
        let events = match &mut app.source {
            Source::Live(live) => {
                let request = Request::Log { task, since, limit };
                match live.ask(&request).await? {
                    Response::Log { events } => events,
                    _ => return Err(unexpected()),
                }
            }
            Source::Offline(store) => {
                let query = LogQuery { task, since, limit };
                store.log(query).await?
            }
        };
        app.tell_if_offline();
        if self.which.json {
            return print_json(&json!({ "app": app.id, "broker": app.broker(), "events": events }));
        }
        if events.is_empty() {
            let since = since.map(|at| format!(" since {}", time(at)));
            let since = since.unwrap_or_default();
            return print(format_args!(
                "{}: nothing is known to have happened{since}",
                app.id
            ));
        }
        print(human(&events))
    }
}

fn human(events: &[Event]) -> String {
    let mut rows = vec![["WHEN", "NAME", "WHAT"].map(str::to_owned)];
    rows.extend(events.iter().map(|event| {
        let name = match event.task.as_str() {
            "" => "-",
            name => name,
        };
        let what = event.kind.to_string();
        [
            time(event.at),
            name.to_owned(),
            first_line(&what).to_owned(),
        ]
    }));
    table(&rows)
}
