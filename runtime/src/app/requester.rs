//! Who asked for a run: the app itself, or a client of it in another process.

use super::{App, Client, client::Lost};
use crate::{ActivationId, CancelReason, Error, Result, RunId, broker::Command};

#[derive(Clone, Debug)]
pub(super) enum Requester {
    App(App),
    /// With what keeps it from seeing the end.
    Client(Client, Lost),
}

impl Requester {
    /// It has the outcome. When the broker is gone the completion stays in the journal and comes
    /// again. A client takes no completion from the app.
    pub(super) fn delivered(&self, run: RunId) {
        if let Self::App(app) = self {
            let _ = app.inner.commands.send(Command::Delivered { run });
        }
    }

    /// Asks the run to stop.
    pub(super) async fn cancel(
        &self,
        activation: ActivationId,
        reason: CancelReason,
    ) -> Result<()> {
        match self {
            Self::App(app) => {
                let cancel = app.ask(|reply| Command::Cancel {
                    activation,
                    reason,
                    reply,
                });
                cancel.await.map(drop)
            }
            Self::Client(client, _) => client.cancel(activation, reason).await,
        }
    }

    /// Why the end of a run is not seen.
    pub(super) fn lost(&self) -> Error {
        match self {
            Self::App(_) => Error::closing(),
            Self::Client(_, lost) => lost.get().map_or_else(Error::closing, Error::again),
        }
    }
}
