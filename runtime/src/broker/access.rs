//! Access: kept in the store, and heard of while the app runs.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::task::JoinSet;

use super::Broker;
use crate::{
    AccessStatus, AppBuilder, Result,
    access::{Access, Files, Grants, Setup},
    clock::{Bell, Clock},
    dirs::Env,
    scheduler::{Input, Restrictions},
    store::Store,
};

/// Where the store keeps what was granted.
const GRANT: &str = "access";

/// What was granted, in the app's store.
#[derive(Debug)]
struct Kept(Arc<dyn Store>);

impl Grants for Kept {
    fn load(&self) -> BoxFuture<'_, Result<Option<String>>> {
        self.0.meta(GRANT)
    }

    fn save(&self, grant: String) -> BoxFuture<'_, Result<()>> {
        self.0.set_meta(GRANT, Some(grant))
    }
}

/// The app's access as it is now.
pub(super) async fn open(
    builder: &AppBuilder,
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<Access>> {
    let access = Access::open(Setup {
        app: builder.id.clone(),
        version: builder.version.clone(),
        profile: builder.profile,
        files: Files::of(Env::of_process().config_dir().as_deref()),
        prompter: Arc::clone(&builder.prompter),
        grants: Arc::new(Kept(Arc::clone(store))),
        clock: Arc::clone(clock),
    });
    Ok(Arc::new(access.await?))
}

/// Hears of changes of the policy files until it is dropped.
pub(super) fn follow(
    access: &Arc<Access>,
    bell: &Arc<Bell>,
    clock: &Arc<dyn Clock>,
) -> JoinSet<()> {
    let (access, bell, clock) = (Arc::clone(access), Arc::clone(bell), Arc::clone(clock));
    let mut following = JoinSet::new();
    following.spawn(async move { access.follow(&bell, &*clock).await });
    following
}

impl Broker {
    /// Access that changed before something was asked counts for it.
    pub(super) fn hear_access(&mut self) {
        // The sender is as long there as this is.
        if self.access_changed.has_changed().unwrap_or(false) {
            self.access_changed.mark_unchanged();
            self.tell_access();
            self.restrict();
            self.watch_sockets();
            drop(self.watch_sources());
        }
    }

    /// Tells the scheduler what holds for the whole app now, before whatever else waits to be
    /// decided.
    pub(super) fn restrict(&mut self) {
        let now = self.now();
        let status = self.access.status();
        let denied = (!status.is_allowed()).then(|| self.access.explain());
        let restrictions = Restrictions {
            denied,
            energy_saver: self.energy.is_saving() && status != AccessStatus::AlwaysAllowed,
            over_budget: self.energy.is_over_budget(now),
        };
        for action in self.scheduler.decide(now, Input::Restrict(restrictions)) {
            self.act(action);
        }
    }
}
