//! One run: its request, and how it went.

use bgtask::{ActivationId, App, EventKind, Events, Outcome, Progress, Requestable, Run};

/// Requests a run of a task.
pub(crate) async fn requested<F: Requestable>(app: &App, task: &str, arguments: F::Args) -> Run<F> {
    let handle = app.task_named::<F>(task).unwrap();
    handle.request(arguments).await.unwrap().allowed().unwrap()
}

/// How a run went, as its events told.
pub(crate) struct Seen {
    pub(crate) pid: u32,
    /// The last one before its end.
    pub(crate) progress: Option<Progress>,
    pub(crate) outcome: Outcome,
}

/// Reads on to the end of an activation that is run once.
pub(crate) async fn seen(events: &mut Events, activation: ActivationId) -> Seen {
    let (mut started, mut last) = (None, None);
    loop {
        let event = events.next().await.expect("the broker is there");
        match event.kind {
            EventKind::Started {
                activation: of,
                run,
                pid: Some(pid),
            } if of == activation => started = Some((run, pid)),
            EventKind::Progressed { run, progress } if started.is_some_and(|(of, _)| of == run) => {
                last = Some(progress);
            }
            EventKind::Ended {
                activation: of,
                outcome,
                ..
            } if of == activation => {
                let (_, pid) = started.expect("it started");
                return Seen {
                    pid,
                    progress: last,
                    outcome,
                };
            }
            _ => {}
        }
    }
}
