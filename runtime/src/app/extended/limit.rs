//! What ends a session before the app does.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{ExtendedExecutionReason, ExtendedExecutionRevoked};
use crate::{AccessStatus, AppState, Lifecycles, Reading, clock::Clock, energy::Power};

/// As long as a session may last that does not last as it likes; as Windows has it.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// What is watched while a session is held. What nobody tells any more ends nothing.
pub(super) struct Limit {
    pub(super) reason: ExtendedExecutionReason,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) lifecycle: Lifecycles,
    pub(super) access: watch::Receiver<AccessStatus>,
    pub(super) power: watch::Receiver<Option<Power>>,
}

impl Limit {
    /// Waits until the session is to end.
    pub(super) async fn reached(&mut self) -> ExtendedExecutionRevoked {
        let clock = &*self.clock;
        let access = self.access.clone();
        tokio::select! {
            () = resumed(&mut self.lifecycle) => ExtendedExecutionRevoked::Resumed,
            () = over(self.reason, clock, self.power.clone()) => {
                ExtendedExecutionRevoked::SystemPolicy
            }
            () = denied(&mut self.access) => ExtendedExecutionRevoked::SystemPolicy,
            () = saving(access, &mut self.power) => ExtendedExecutionRevoked::SystemPolicy,
        }
    }
}

/// The user turned away, and came back.
async fn resumed(lifecycle: &mut Lifecycles) {
    while let Some(change) = lifecycle.next().await {
        if change.state == AppState::Foreground {
            return;
        }
    }
    std::future::pending().await
}

/// Its time is over.
async fn over(
    reason: ExtendedExecutionReason,
    clock: &dyn Clock,
    mut power: watch::Receiver<Option<Power>>,
) {
    match reason {
        ExtendedExecutionReason::LocationTracking => std::future::pending().await,
        ExtendedExecutionReason::SavingData => clock.awake(LONGEST).await,
        ExtendedExecutionReason::Unspecified => loop {
            let on_battery = |power: &Option<Power>| {
                power.is_some_and(|power| power.on_battery == Reading::Known(true))
            };
            if power.wait_for(on_battery).await.is_err() {
                return std::future::pending().await;
            }
            let plugged_in = async {
                if power.wait_for(|power| !on_battery(power)).await.is_err() {
                    std::future::pending().await
                }
            };
            tokio::select! {
                () = clock.awake(LONGEST) => return,
                () = plugged_in => {}
            }
        },
    }
}

/// The user or the administrator took access back.
async fn denied(access: &mut watch::Receiver<AccessStatus>) {
    if access
        .wait_for(|status| !status.is_allowed())
        .await
        .is_err()
    {
        std::future::pending().await
    }
}

/// Energy is saved, and the app is not always allowed.
async fn saving(
    mut access: watch::Receiver<AccessStatus>,
    power: &mut watch::Receiver<Option<Power>>,
) {
    loop {
        let is_saving = power
            .borrow_and_update()
            .is_some_and(|power| power.saver == Reading::Known(true));
        if is_saving && *access.borrow_and_update() != AccessStatus::AlwaysAllowed {
            return;
        }
        let changed = tokio::select! {
            changed = power.changed() => changed,
            changed = access.changed() => changed,
        };
        if changed.is_err() {
            return std::future::pending().await;
        }
    }
}
