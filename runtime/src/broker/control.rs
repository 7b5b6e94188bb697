//! The broker's side of the control socket: the command's questions become the app's.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bgtask_model::Declaration;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use super::{Broker, Command, Look, RegistrationChange, Resolved, kept_alone, registrations::Live};
use crate::{
    ActivationId, CancelReason, Code, Error, Explanation, Origin, Profile, RegistrationId, Result,
    RunId,
    access::Access,
    ipc::control::{
        AppState, Handler, Hello, Mode, PROTOCOL, Request, Response, RunListing, Server,
        TaskListing, TaskState, Why,
    },
    store::{HistoryQuery, LogQuery, Store},
};

/// The most runs that one answer holds: it must fit into a frame.
const MOST_RUNS: u32 = 1000;

/// As above.
const MOST_EVENTS: u32 = 1000;

/// The served control socket; closed when dropped.
#[derive(Debug)]
pub(super) struct Control {
    server: JoinHandle<()>,
}

/// What the socket's side of the broker knows.
pub(super) struct Surroundings {
    pub(super) app_id: String,
    pub(super) build: String,
    /// Of what the user says otherwise than the program.
    pub(super) warnings: Vec<String>,
    pub(super) headless: Arc<AtomicBool>,
    /// Weak: the socket does not keep the broker open.
    pub(super) commands: mpsc::WeakUnboundedSender<Command>,
    pub(super) store: Arc<dyn Store>,
    pub(super) since: Timestamp,
    pub(super) state: watch::Receiver<AppState>,
    pub(super) profile: Profile,
    pub(super) access: Arc<Access>,
    /// What asks the declared outboxes to look.
    pub(super) outboxes: Vec<mpsc::UnboundedSender<Look>>,
}

impl Control {
    pub(super) fn start(dir: &std::path::Path, surroundings: Surroundings) -> Result<Self> {
        let server = Server::bind(dir)?;
        let server = tokio::spawn(server.serve(Arc::new(surroundings)));
        Ok(Self { server })
    }

    /// Returns once the socket and its file are gone: after that the next broker may make its own.
    pub(super) async fn close(mut self) {
        self.server.abort();
        // It was cancelled: that is what is waited for.
        let _ = (&mut self.server).await;
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Handler for Surroundings {
    fn hello(&self) -> Hello {
        Hello {
            protocol: PROTOCOL,
            pid: std::process::id(),
            app: self.app_id.clone(),
            mode: if self.headless.load(Ordering::Relaxed) {
                Mode::Headless
            } else {
                Mode::App
            },
            state: *self.state.borrow(),
        }
    }

    fn handle(&self, request: Request) -> BoxFuture<'_, Response> {
        Box::pin(async move {
            match self.answer(request).await {
                Ok(response) => response,
                Err(error) => error.into(),
            }
        })
    }
}

impl Surroundings {
    pub(super) async fn answer(&self, request: Request) -> Result<Response> {
        Ok(match request {
            Request::Status => self.status().await?,
            Request::Replaced { build } => {
                let status = self.status().await?;
                if build != self.build
                    && self.headless.load(Ordering::Relaxed)
                    && let Some(commands) = self.commands.upgrade()
                {
                    let reason = CancelReason::ServicingUpdate;
                    let _ = commands.send(Command::Shutdown { reason });
                }
                status
            }
            Request::List => Response::List {
                tasks: self.list().await?,
                warnings: self.warnings.clone(),
            },
            Request::Why { task } => {
                let meant = match task {
                    Some(task) => vec![task],
                    // What is not registered has nothing to explain, and must not hide the others.
                    None => self
                        .list()
                        .await?
                        .into_iter()
                        .filter_map(|one| Some(one.registration?.to_string()))
                        .collect(),
                };
                let mut answers = Vec::with_capacity(meant.len());
                for task in meant {
                    let explained = self.ask(|reply| Command::Why { task, reply }).await??;
                    answers.push(why(&explained));
                }
                Response::Why { answers }
            }
            Request::Fire { task, arguments } => Response::Fired {
                activation: self
                    .ask(|reply| Command::Fire {
                        task,
                        arguments,
                        reply,
                    })
                    .await??,
            },
            Request::Raise { event, arguments } => {
                let arguments = arguments.unwrap_or_default();
                let raise = |reply| Command::Raise {
                    event,
                    arguments,
                    reply,
                };
                let activations = self.ask(raise).await??;
                Response::Raised { activations }
            }
            Request::Push { notification } => {
                let push = |reply| Command::Push {
                    notification,
                    reply,
                };
                let activations = self.ask(push).await??;
                Response::Raised { activations }
            }
            Request::Run { task, arguments } => self.run(task, arguments).await?,
            Request::Watch { activation, unlike } => self.watch(activation, unlike).await?,
            Request::Stand { task, order } => {
                let id = self.resolve(task).await?.id;
                let record = self
                    .ask(|reply| Command::Change(RegistrationChange::Stand { id, order, reply }))
                    .await??;
                Response::Stands {
                    task: record.name,
                    registration: record.id,
                    standing: record.standing,
                }
            }
            Request::Unregister { task, cancel } => {
                let meant = self.resolve(task).await?;
                let ids = vec![meant.id];
                self.ask(|reply| {
                    Command::Change(RegistrationChange::Unregister { ids, cancel, reply })
                })
                .await??;
                Response::Unregistered {
                    task: meant.name,
                    registration: meant.id,
                    declared: meant.origin == Origin::Declared,
                }
            }
            Request::History { task, limit } => {
                let query = HistoryQuery {
                    task,
                    limit: limit.clamp(1, MOST_RUNS),
                    ..HistoryQuery::default()
                };
                let runs = self.store.history(query).await?;
                Response::History { runs }
            }
            Request::Log { task, since, limit } => {
                self.ask(|reply| Command::Settled { reply }).await?;
                let query = LogQuery {
                    task,
                    since,
                    limit: limit.clamp(1, MOST_EVENTS),
                };
                let mut events = self.store.read_log(query).await?;
                events.reverse();
                Response::Log { events }
            }
            Request::Cancel { id, reason } => {
                let cancelling = self
                    .ask(|reply| Command::CancelNamed {
                        id: id.clone(),
                        reason,
                        reply,
                    })
                    .await??;
                match cancelling {
                    Some(cancelling) => Response::Cancelled {
                        task: cancelling.task,
                        activation: cancelling.activation,
                        run: cancelling.run,
                        reason: cancelling.reason,
                        grace: cancelling.grace,
                    },
                    None => return Err(self.not_there(&id).await?),
                }
            }
        })
    }

    /// Why nothing that runs or waits has this id.
    async fn not_there(&self, id: &str) -> Result<Error> {
        let id = id.to_lowercase();
        let begins = |text: String| text.starts_with(&id);
        let newest = HistoryQuery {
            limit: MOST_RUNS,
            ..HistoryQuery::default()
        };
        let mut ended = self.store.history(newest).await?;
        if let Ok(activation) = id.parse() {
            // However long ago it ended.
            let its = HistoryQuery {
                activation: Some(activation),
                limit: 1,
                ..HistoryQuery::default()
            };
            ended.extend(self.store.history(its).await?);
        }
        let ended = ended
            .into_iter()
            .find(|one| begins(one.run.to_string()) || begins(one.activation.to_string()));
        Ok(match ended {
            Some(run) => Error::new(
                Code::RunEnded,
                format!("it ended at {}: {}", run.ended, run.outcome),
            )
            .task(run.task),
            None => Error::new(
                Code::UnknownRun,
                format!("no run and no activation has an id that begins with `{id}`"),
            )
            .remedy("`bgtask list` shows what runs and what waits"),
        })
    }

    async fn status(&self) -> Result<Response> {
        let tasks = self.list().await?;
        Ok(Response::Status {
            hello: self.hello(),
            since: self.since,
            running: tasks.iter().map(|task| task.running).sum(),
            waiting: tasks.iter().map(|task| task.waiting).sum(),
        })
    }

    async fn resolve(&self, task: String) -> Result<Resolved> {
        self.ask(|reply| Command::Resolve { task, reply }).await?
    }

    async fn list(&self) -> Result<Vec<TaskListing>> {
        self.ask(|reply| Command::List { reply }).await
    }

    pub(super) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let commands = self.commands.upgrade().ok_or_else(Error::closing)?;
        commands
            .send(command(reply))
            .map_err(|_| Error::closing())?;
        drop(commands);
        answer.await.map_err(|_| Error::closing())
    }
}

fn why(explanation: &Explanation) -> Why {
    Why {
        task: explanation.task.clone(),
        text: explanation.to_string(),
        details: serde_json::to_value(explanation).unwrap_or_default(),
    }
}

impl Broker {
    /// Every declared or registered task, by name.
    pub(super) fn list(&self) -> Vec<TaskListing> {
        let declared = self.registry.tasks().map(|task| &task.declaration);
        let unregistered = declared.filter(|declared| !self.by_name.contains_key(&declared.name));
        let mut listed: Vec<TaskListing> = unregistered
            .map(|declared| self.listing(&declared.name, declared, None))
            .collect();
        for (id, live) in &self.live {
            listed.push(self.listing(&live.name, &live.declaration, Some((*id, live))));
        }
        listed.sort_by(|a, b| (&a.task, a.registration).cmp(&(&b.task, b.registration)));
        listed
    }

    fn listing(
        &self,
        name: &str,
        declaration: &Declaration,
        registered: Option<(RegistrationId, &Live)>,
    ) -> TaskListing {
        let explained = registered.and_then(|(id, _)| self.scheduler.explain(id, self.now()));
        let explained = explained.as_ref();
        let live = registered.map(|(_, live)| live);
        let declared = live.is_none_or(|live| live.origin == Origin::Declared);
        let own = self.refused.get(name).filter(|_| declared).cloned();
        let refused = own.or_else(|| explained.and_then(|one| one.refused.clone()));
        let state = match registered {
            _ if refused.is_some() => TaskState::Refused,
            Some(_) if explained.is_some_and(|one| one.ended.is_some()) => TaskState::Ended,
            Some(_) => TaskState::Registered,
            None => TaskState::NotRegistered,
        };
        let last = self.last_outcome.get(name).cloned();
        let runs = self.runs(explained);
        let progress = runs.iter().find(|one| one.run.is_some());
        let progress = progress.and_then(|one| one.progress.clone());
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let trigger = match live {
            Some(live) if live.unreadable => "?".to_owned(),
            _ => declaration.trigger.to_string(),
        };
        let entry = live.map(|live| live.entry.clone());
        let overridden = self.overridden.told.get(name).filter(|_| declared);
        TaskListing {
            task: name.to_owned(),
            registration: registered.map(|(id, _)| id),
            entry: entry.filter(|entry| entry != name),
            group: declaration.options.registration_group.clone(),
            origin: live.map(|live| live.origin),
            standing: live.map(|live| live.standing.clone()),
            trigger,
            condition: declaration.condition.as_ref().map(ToString::to_string),
            host: declaration.host.to_string(),
            state,
            error: refused,
            next_due: explained.and_then(|one| one.next_due),
            waiting: explained.map_or(0, |one| count(one.waiting)),
            running: explained.map_or(0, |one| count(one.running.len())),
            progress,
            runs,
            alone: last
                .as_ref()
                .and_then(|(_, last)| kept_alone(declaration, last)),
            last,
            overridden: overridden.cloned(),
        }
    }

    /// What executes of a registration, and what waits next.
    fn runs(&self, explained: Option<&Explanation>) -> Vec<RunListing> {
        let Some(explained) = explained else {
            return Vec::new();
        };
        let running = explained.running.iter().map(|one| {
            let running = self
                .active
                .get(&one.activation)
                .and_then(|active| active.running.as_ref());
            RunListing {
                activation: one.activation,
                run: running
                    .map(|running| running.run)
                    .or_else(|| self.overrun(one.activation)),
                since: one.since,
                until: None,
                progress: running.and_then(|running| running.progress.clone()),
                asked: running.and_then(|running| running.asked),
                overrun: one.overrun,
            }
        });
        let waiting = explained.held.iter().map(|one| RunListing {
            activation: one.activation,
            run: None,
            since: one.since,
            until: one.until,
            progress: None,
            asked: None,
            overrun: false,
        });
        running.chain(waiting).collect()
    }

    /// The run whose body still executes although its end is recorded.
    fn overrun(&self, activation: ActivationId) -> Option<RunId> {
        let of_it = |(run, of): (&RunId, &ActivationId)| (*of == activation).then_some(*run);
        self.runs.iter().find_map(of_it)
    }
}
