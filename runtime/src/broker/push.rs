//! Raw notifications: judged, counted, and kept before their sender is answered.

use bgtask_model::Trigger;
use tokio::sync::oneshot;

use super::{Broker, Phase, batch::Reply};
use crate::{
    ActivationId, Code, Details, Error, RawNotification, Result, Standing, Suppression,
    scheduler::{Action, Input, Raised},
};

/// The longest content of a notification unless the app says otherwise: Windows' own limit
/// (<https://learn.microsoft.com/windows/apps/develop/notifications/push-notifications/raw-notification-overview>).
pub(crate) const DEFAULT_PUSH: usize = 5 * 1024;

/// The longest that an app may allow.
pub(crate) const MOST_PUSH: usize = 256 * 1024;

/// The longest channel and headers together.
const MOST_HEADERS: usize = 4 * 1024;

/// So many bytes of notifications wait at the most, in memory and in the store, whoever they are for.
const MOST_WAITING: usize = 64 * 1024 * 1024;

impl Broker {
    /// Accepts a notification for every task that takes those of its channel, or for none where the
    /// queue of one is full. The sender is answered when it is kept; a flood is answered with
    /// [`Code::QueueFull`], and nothing of it is kept.
    pub(super) fn push(
        &mut self,
        mut notification: RawNotification,
        reply: oneshot::Sender<Result<Vec<ActivationId>>>,
    ) {
        if let Err(error) = self.check_push(&notification) {
            return drop(reply.send(Err(error)));
        }
        // What was accepted in this turn is counted as well.
        self.decide();
        if self.waiting_bytes() + notification.bytes.len() + notification.about() > MOST_WAITING {
            return drop(reply.send(Err(not_taken(&Suppression::PendingFull))));
        }
        let now = self.now();
        notification.received = now;
        let what = Raised::Trigger(Trigger::Push {
            channel: notification.channel.clone(),
        });
        let details = Details {
            fired: now,
            push: Some(notification),
            ..Details::default()
        };
        let mut activations = Vec::new();
        let mut refused = None;
        for action in self.scheduler.decide(now, Input::Raised { what, details }) {
            match action {
                Action::Enqueue(accepted) => activations.extend(accepted),
                other => {
                    if let Action::Note { why, .. } = &other {
                        refused = Some(why.clone());
                    }
                    self.act(other);
                }
            }
        }
        match refused {
            // At least one task takes it.
            _ if !activations.is_empty() => self.enqueue(activations, Reply::Raise(reply)),
            Some(why) => drop(reply.send(Err(not_taken(&why)))),
            None => drop(reply.send(Err(nobody()))),
        }
    }

    /// How much of notifications waits. While it is little for sure, nothing is counted.
    fn waiting_bytes(&self) -> usize {
        let most = self
            .active
            .len()
            .saturating_mul(self.max_push + MOST_HEADERS);
        if most < MOST_WAITING {
            return 0;
        }
        let waiting = self.active.values().filter(|one| one.running.is_none());
        let pushed = waiting.filter_map(|one| one.record.details.push.as_ref());
        pushed.map(|one| one.bytes.len() + one.about()).sum()
    }

    fn check_push(&self, notification: &RawNotification) -> Result<()> {
        if self.phase != Phase::Open {
            return Err(Error::closing());
        }
        let (length, allowed) = (notification.bytes.len(), self.max_push);
        if length > allowed {
            let rule = format!(
                "the notification has {length} bytes of content, and {allowed} are allowed"
            );
            return Err(Error::new(Code::TooLarge, rule)
                .remedy("push where the content is, or allow more with `AppBuilder::max_push`"));
        }
        let about = notification.about();
        if about > MOST_HEADERS {
            let rule = format!(
                "the notification has {about} bytes of channel and headers, and {MOST_HEADERS} are allowed"
            );
            return Err(Error::new(Code::TooLarge, rule).remedy("put it into the content"));
        }
        let takes = self.live.values().any(|live| {
            let listens = matches!(&live.declaration.trigger,
                Trigger::Push { channel } if *channel == notification.channel);
            listens && live.accepts && !matches!(live.standing, Standing::Quarantined { .. })
        });
        match takes {
            true => Ok(()),
            false => Err(nobody()),
        }
    }
}

fn nobody() -> Error {
    let rule = "not accepted: no task of the app takes notifications of this channel";
    Error::new(Code::NotAccepted, rule).remedy("`bgtask list` shows the channels, as triggers")
}

/// No task that listens takes it: this is what keeps the last of them from it.
fn not_taken(why: &Suppression) -> Error {
    if *why == Suppression::PendingFull {
        let rule = "not accepted: as many notifications wait as are kept";
        return Error::new(Code::QueueFull, rule)
            .remedy("push it again when some have run; `pending` says how many are kept");
    }
    Error::new(Code::NotAccepted, format!("not accepted: {why}"))
        .remedy("`bgtask why NAME` tells more")
}
