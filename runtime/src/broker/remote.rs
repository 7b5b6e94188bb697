//! Requests of other processes of the user, and what they see of runs.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    Command, Known, Requested, check_foreground, control::Surroundings, looked, recorded, unknown,
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
        if known.is_none() && looked(&self.outboxes).await {
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

    /// What waits or runs first, then what has ended: an activation goes only that way.
    async fn known(&self, activation: ActivationId) -> Result<Option<Known>> {
        let live = self.ask(|reply| Command::Find { activation, reply });
        match live.await? {
            Some(live) => Ok(Some(live)),
            None => recorded(&*self.store, activation).await,
        }
    }
}
