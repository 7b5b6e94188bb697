//! Requests of other processes of the user, and what they see of runs.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    Command, Known, Requested, check_foreground, control::Surroundings, looked, stored, unknown,
};
use crate::{
    ActivationId, Error, Result,
    ipc::control::{Response, Seen},
};

/// How long an answer waits for news: less than who asked is willing to wait.
const NEWS: Duration = Duration::from_secs(10);

impl Surroundings {
    /// Starts a task. Nobody but who asks wants its completion.
    pub(super) async fn run(&self, task: String, arguments: serde_json::Value) -> Result<Response> {
        check_foreground(self.profile, *self.state.borrow(), false, &task)?;
        if !self.access.status().is_allowed() {
            return Ok(Response::Disabled);
        }
        let requested = self
            .ask(|reply| Command::Request {
                task,
                arguments,
                later: None,
                device: None,
                journal: false,
                reply,
            })
            .await??;
        Ok(match requested {
            Requested::Accepted(accepted) => Response::Accepted {
                activation: accepted.activation,
            },
            Requested::CurrentlyRunning => Response::CurrentlyRunning,
            Requested::Disabled => Response::Disabled,
        })
    }

    /// What became of an activation, once that is something else than is known.
    pub(super) async fn watch(
        &self,
        activation: ActivationId,
        unlike: Option<Seen>,
    ) -> Result<Response> {
        let mut known = self.known(activation).await?;
        // An outbox that cannot be read has nothing to add.
        if known.is_none() && timeout(NEWS, looked(&self.outboxes)).await == Ok(true) {
            known = self.known(activation).await?;
        }
        let mut known = known.ok_or_else(unknown)?;
        if let Some(unlike) = unlike {
            let news = known
                .view
                .wait_for(|now| now.ended.is_some() || now.progress != unlike.progress);
            match timeout(NEWS, news).await {
                Ok(Ok(_)) => {}
                // The broker has ended.
                Ok(Err(_)) => return Err(Error::closing()),
                Err(_) => {}
            }
        }
        Ok(Response::Seen(known.seen()))
    }

    /// What waits or runs first, also where the broker starts nothing of it, then what has ended:
    /// an activation goes only that way.
    async fn known(&self, activation: ActivationId) -> Result<Option<Known>> {
        let live = self.ask(|reply| Command::Find { activation, reply });
        match live.await? {
            Some(live) => Ok(Some(live)),
            None => stored(&*self.store, activation).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use serde_json::Value;
    use tokio::sync::{mpsc, watch};

    use super::*;
    use crate::{
        AppBuilder, Code, Details, Outcome, Profile, RegistrationId, RunId,
        broker::{Look, access},
        clock::{Clock, ManualClock},
        ipc::control::{AppState, Request},
        store::{Claim, Finish, MemoryStore, NewActivation, Store},
    };

    /// Beside a broker that knows of no activation.
    struct Bench {
        surroundings: Surroundings,
        _commands: mpsc::UnboundedSender<Command>,
        _looks: mpsc::UnboundedReceiver<Look>,
    }

    impl Bench {
        async fn new() -> Self {
            let (commands, mut asked) = mpsc::unbounded_channel();
            let (look, looks) = mpsc::unbounded_channel();
            let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
            let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
            let builder = AppBuilder::new("client-under-test");
            let access = access::open(&builder, &store, &clock).await.unwrap();
            tokio::spawn(async move {
                while let Some(command) = asked.recv().await {
                    match command {
                        Command::Find { reply, .. } => drop(reply.send(None)),
                        Command::CancelNamed { reply, .. } => drop(reply.send(Ok(None))),
                        other => panic!("{other:?}"),
                    }
                }
            });
            let surroundings = Surroundings {
                app_id: String::new(),
                build: String::new(),
                warnings: Vec::new(),
                headless: Arc::default(),
                commands: commands.downgrade(),
                store,
                since: Timestamp::UNIX_EPOCH,
                state: watch::channel(AppState::Foreground).1,
                profile: Profile::default(),
                access,
                outboxes: vec![look],
            };
            Self {
                surroundings,
                _commands: commands,
                _looks: looks,
            }
        }

        /// One that waits in the store.
        async fn waiting(&self) -> ActivationId {
            let new = NewActivation {
                id: ActivationId::now(),
                registration: RegistrationId::now(),
                task: "task".to_owned(),
                details: Details::default(),
                not_before: NewActivation::AT_ONCE,
                journal: false,
                foreign: false,
            };
            let id = new.id;
            self.surroundings.store.enqueue(vec![new]).await.unwrap();
            id
        }

        async fn ends(&self, activation: ActivationId) {
            let store = &self.surroundings.store;
            let (run, at) = (RunId::now(), Timestamp::UNIX_EPOCH);
            let claim = Claim {
                activation,
                run,
                at,
            };
            let lease = store.claim(vec![claim]).await.unwrap().remove(0).unwrap();
            let finish = Finish {
                activation,
                fence: lease.fence,
                at,
                outcome: Outcome::Completed { value: Value::Null },
                progress: None,
                retry_at: None,
                ends_registration: false,
                data: Vec::new(),
                cpu: None,
                on_battery: false,
            };
            store.finish(vec![finish]).await.unwrap();
        }

        async fn watch(&self, activation: ActivationId, unlike: Option<Seen>) -> Result<Seen> {
            match self.surroundings.watch(activation, unlike).await? {
                Response::Seen(seen) => Ok(seen),
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_in_the_store_is_known_though_the_broker_starts_nothing_of_it() {
        let bench = Bench::new().await;
        let id = bench.waiting().await;
        let seen = bench.watch(id, None).await.unwrap();
        assert_eq!((&*seen.task, &seen.ended), ("task", &None));
        // There is no news, and no end of the broker either.
        assert_eq!(bench.watch(id, Some(seen.clone())).await.unwrap(), seen);
        bench.ends(id).await;
        let seen = bench.watch(id, Some(seen)).await.unwrap();
        assert!(seen.ended.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn an_outbox_that_does_not_answer_keeps_nobody_waiting_for_ever() {
        let bench = Bench::new().await;
        let error = bench.watch(ActivationId::now(), None).await.unwrap_err();
        assert_eq!(error.code(), Code::UnknownRun);
    }

    #[tokio::test]
    async fn what_is_to_be_stopped_has_ended_however_long_ago() {
        let bench = Bench::new().await;
        let id = bench.waiting().await;
        bench.ends(id).await;
        for _ in 0..1000 {
            let newer = bench.waiting().await;
            bench.ends(newer).await;
        }
        let cancel = |id: ActivationId| Request::Cancel {
            id: id.to_string(),
            reason: crate::CancelReason::Abort,
        };
        let code = async |id| {
            let answer = bench.surroundings.answer(cancel(id)).await;
            answer.unwrap_err().code()
        };
        assert_eq!(code(id).await, Code::RunEnded);
        assert_eq!(code(ActivationId::now()).await, Code::UnknownRun);
    }
}
