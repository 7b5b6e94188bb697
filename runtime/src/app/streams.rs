//! What an app can listen to: progress, events, completions.

use tokio::sync::{broadcast, oneshot, watch};

use super::App;
use crate::{
    Event, Progress, RunRecord,
    broker::{Command, RunView},
};

/// The progress of one run; from [`Run::progress`](crate::Run::progress).
#[derive(Debug)]
pub struct ProgressStream {
    view: watch::Receiver<RunView>,
    seen: Option<Progress>,
}

impl ProgressStream {
    pub(super) fn new(view: watch::Receiver<RunView>) -> Self {
        Self { view, seen: None }
    }

    /// The next value, the latest at that moment; `None` when the run has ended.
    pub async fn next(&mut self) -> Option<Progress> {
        loop {
            let view = self.view.borrow_and_update().clone();
            // Not by its sequence, which begins anew with each attempt.
            let unseen = view
                .progress
                .filter(|last| Some(last) != self.seen.as_ref());
            if let Some(progress) = unseen {
                self.seen = Some(progress.clone());
                return Some(progress);
            }
            if view.ended.is_some() || self.view.changed().await.is_err() {
                return None;
            }
        }
    }
}

/// What happens in the app; from [`App::events`].
///
/// ```no_run
/// # let _ = async |app: bgtask::App| {
/// let mut events = app.events();
/// while let Some(event) = events.next().await {
///     if let bgtask::EventKind::Held { reason, .. } = event.kind {
///         println!("{} {reason}", event.task);
///     }
/// }
/// # };
/// ```
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<Event>,
    closed: watch::Receiver<bool>,
}

impl Events {
    pub(super) fn new(receiver: broadcast::Receiver<Event>, closed: watch::Receiver<bool>) -> Self {
        Self { receiver, closed }
    }

    /// The next event; `None` when the broker has ended. A reader that falls more than a thousand
    /// events behind misses the oldest; the store's history has them all.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            // Every `App` can send, so the channel stays open when the broker has ended: what is
            // still in it is the rest.
            let received = tokio::select! {
                biased;
                received = self.receiver.recv() => received,
                _ = self.closed.wait_for(|closed| *closed) => match self.receiver.try_recv() {
                    Ok(event) => Ok(event),
                    Err(broadcast::error::TryRecvError::Lagged(missed)) => {
                        Err(broadcast::error::RecvError::Lagged(missed))
                    }
                    Err(_) => return None,
                },
            };
            match received {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// Completions that nobody has taken yet; from [`App::completions`].
///
/// ```no_run
/// # let _ = async |app: bgtask::App| {
/// let mut completions = app.completions();
/// while let Some(run) = completions.ready().await {
///     println!("while the app was closed, {} ended: {}", run.task, run.outcome);
/// }
/// # };
/// ```
///
/// Windows: the [`Completed`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskregistration.completed)
/// event, which is lost when the app is not there.
#[derive(Debug)]
pub struct Completions {
    app: App,
    /// What [`next`](Self::next) asked for. It outlives a call that is given up, and with it the
    /// completion that may be on its way.
    asked: Option<oneshot::Receiver<RunRecord>>,
}

impl Completions {
    pub(super) fn new(app: App) -> Self {
        Self { app, asked: None }
    }

    /// The next completion, marked as delivered; `None` when the app is closing. Nothing is lost
    /// when the future is dropped.
    pub async fn next(&mut self) -> Option<RunRecord> {
        let asked = match &mut self.asked {
            Some(asked) => asked,
            None => {
                let (reply, answer) = oneshot::channel();
                let asking = Command::NextCompletion { reply };
                self.app.inner.commands.send(asking).ok()?;
                self.asked.insert(answer)
            }
        };
        let record = asked.await;
        self.asked = None;
        self.delivered(record.ok())
    }

    /// A completion that is there already, or `None`.
    pub async fn ready(&mut self) -> Option<RunRecord> {
        if let Some(asked) = &mut self.asked {
            match asked.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => {}
                record => {
                    self.asked = None;
                    return self.delivered(record.ok());
                }
            }
        }
        let record = self.app.ask(|reply| Command::ReadyCompletion { reply });
        let record = record.await.ok().flatten();
        self.delivered(record)
    }

    /// It is in the reader's hands only now: until here it comes again at the next launch.
    fn delivered(&self, record: Option<RunRecord>) -> Option<RunRecord> {
        let record = record?;
        let run = record.run;
        let _ = self.app.inner.commands.send(Command::Delivered { run });
        Some(record)
    }
}
