//! `bgtask list`: the tasks of an app and where they stand.

use bgtask::inspect::{Request, Response, TaskListing};
use serde_json::json;

use crate::{
    app::{Source, Which, unexpected},
    output::{Done, first_line, or_dash, print, print_json, standing, table, tell, time, visible},
};

/// Lists the tasks of an app and where they stand
///
/// Times are in UTC.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    which: Which,
}

impl List {
    pub(crate) async fn run(self) -> Done {
        let mut app = self.which.open().await?;
        let (listed, warnings) = match &mut app.source {
            Source::Live(live) => match live.ask(&Request::List).await? {
                Response::List { tasks, warnings } => (tasks, warnings),
                _ => return Err(unexpected()),
            },
            Source::Offline(store) => (store.list().await?, Vec::new()),
        };
        app.tell_if_offline();
        if let Source::Live(live) = &app.source
            && live.hello().state == bgtask::AppState::Background
        {
            tell(format_args!("note: `{}` is in the background", app.id));
        }
        if self.which.json {
            return print_json(&json!({
                "app": app.id, "broker": app.broker(), "tasks": listed, "warnings": warnings,
            }));
        }
        if listed.is_empty() {
            print(format_args!("{}: 0 tasks", app.id))?;
        } else {
            print(human(&listed))?;
        }
        let runs = runs(&listed);
        if runs.len() > 1 {
            print(format_args!("\n{}", table(&runs)))?;
        }
        for warning in &warnings {
            print(format_args!("warning: {}", visible(warning)))?;
        }
        Ok(())
    }
}

/// What keeps it from firing or starting.
fn stands(task: &TaskListing) -> Option<String> {
    let kept = task.standing.as_ref();
    let kept = kept.filter(|kept| **kept != bgtask::Standing::Enabled)?;
    Some(standing(kept))
}

/// What is not as an attribute of the task says.
fn from(task: &TaskListing) -> Option<String> {
    let built = task.origin == Some(bgtask::Origin::Built);
    let entry = task.entry.as_ref().map(|entry| format!(" of `{entry}`"));
    let built = built.then(|| format!("built{}", entry.unwrap_or_default()));
    let group = task
        .group
        .as_ref()
        .map(|group| format!("in group `{group}`"));
    let overridden = task.overridden.as_ref();
    let overridden = overridden.map(|told| format!("overridden: {}", first_line(told)));
    let told: Vec<String> = [built, group, overridden].into_iter().flatten().collect();
    (!told.is_empty()).then(|| told.join("; "))
}

fn human(listed: &[TaskListing]) -> String {
    let head = [
        "NAME", "STATE", "TRIGGER", "NEXT DUE", "WAITING", "RUNNING", "LAST",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    for task in listed {
        let state = match &task.error {
            Some(error) => format!("{}: {}", task.state.as_str(), first_line(error)),
            None => task.state.as_str().to_owned(),
        };
        let state = [Some(state), stands(task), from(task)];
        let state = state.into_iter().flatten().collect::<Vec<_>>().join("; ");
        let state = match &task.alone {
            Some(why) => format!(
                "{state}; in a process that it shares with nobody: {}",
                first_line(why)
            ),
            None => state,
        };
        let running = match task.progress.as_ref().and_then(bgtask::Progress::percent) {
            Some(percent) => format!("{} ({percent} %)", task.running),
            None => task.running.to_string(),
        };
        let last = task.last.as_ref().map(|(at, outcome)| {
            let outcome = outcome.to_string();
            format!("{} {}", time(at), first_line(&outcome))
        });
        rows.push([
            task.task.clone(),
            state,
            task.trigger.clone(),
            or_dash(task.next_due.map(time)),
            task.waiting.to_string(),
            running,
            or_dash(last),
        ]);
    }
    table(&rows)
}

/// What can be cancelled, under the ids that `bgtask cancel` takes.
fn runs(listed: &[TaskListing]) -> Vec<[String; 4]> {
    let head = ["RUN", "NAME", "STATE", "SINCE"];
    let mut rows = vec![head.map(str::to_owned)];
    for task in listed {
        rows.extend(task.runs.iter().map(|run| {
            let state = match (run.run, run.asked) {
                (None, _) => match run.until {
                    Some(until) => format!("waits until {}", time(until)),
                    None => "waits".to_owned(),
                },
                (Some(_), _) if run.overrun => "ended; its body still executes".to_owned(),
                (Some(_), Some(reason)) => format!("asked to stop: {reason}"),
                (Some(_), None) => "runs".to_owned(),
            };
            [run.id(), task.task.clone(), state, time(run.since)]
        }));
    }
    rows
}
