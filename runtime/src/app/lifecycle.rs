//! The app in the foreground and in the background, and who takes part in the change.

use std::{
    convert::Infallible,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{mpsc, watch};

use crate::{AppState, clock::Clock};

/// How long deferrals may hold a change back.
const GRANTED: Duration = Duration::from_secs(5);

/// The app changes to another state; from [`App::lifecycle`](crate::App::lifecycle). The change is
/// complete when every listener has dropped its deferral, or after 5 s: deferrals do not lengthen
/// the time that is granted.
///
/// Windows: [`EnteredBackground`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.core.coreapplication.enteredbackground)
/// and [`LeavingBackground`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.core.coreapplication.leavingbackground).
#[derive(Debug)]
#[must_use = "the change waits until this is dropped"]
pub struct Lifecycle {
    /// What it changes to.
    pub state: AppState,
    /// Holds the change back until it is dropped.
    pub deferral: LifecycleDeferral,
}

/// Holds a change of the app's state back; see [`Lifecycle`].
#[derive(Debug)]
pub struct LifecycleDeferral {
    _held: mpsc::Sender<Infallible>,
}

/// The changes of the app's state; from [`App::lifecycle`](crate::App::lifecycle).
#[derive(Debug)]
pub struct Lifecycles {
    changes: mpsc::UnboundedReceiver<Lifecycle>,
}

impl Lifecycles {
    /// The next change; `None` when every [`App`](crate::App) is gone.
    pub async fn next(&mut self) -> Option<Lifecycle> {
        self.changes.recv().await
    }
}

/// The app's state and its listeners.
pub(crate) struct Changes {
    clock: Arc<dyn Clock>,
    state: watch::Sender<AppState>,
    listeners: Mutex<Vec<mpsc::UnboundedSender<Lifecycle>>>,
    /// One change at a time.
    turn: tokio::sync::Mutex<()>,
}

impl Changes {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: watch::Sender::new(AppState::Foreground),
            listeners: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) fn state(&self) -> watch::Receiver<AppState> {
        self.state.subscribe()
    }

    pub(super) fn listen(&self) -> Lifecycles {
        let (listener, changes) = mpsc::unbounded_channel();
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(listener);
        Lifecycles { changes }
    }

    /// Returns when the change is complete; at once when there is none.
    pub(super) async fn change(&self, state: AppState) {
        let _turn = self.turn.lock().await;
        if *self.state.borrow() == state {
            return;
        }
        let mut released = self.tell(state);
        tokio::select! {
            _ = released.recv() => {}
            () = self.clock.awake(GRANTED) => {
                tracing::warn!(?state, "the app changes its state although deferrals are held");
            }
        }
        self.state.send_replace(state);
    }

    /// Tells all listeners; what is returned ends when none of them holds a deferral.
    fn tell(&self, state: AppState) -> mpsc::Receiver<Infallible> {
        let (held, released) = mpsc::channel(1);
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| {
            let deferral = LifecycleDeferral {
                _held: held.clone(),
            };
            listener.send(Lifecycle { state, deferral }).is_ok()
        });
        released
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Changes({:?})", *self.state.borrow())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use jiff::Timestamp;

    use super::*;
    use crate::clock::ManualClock;

    fn changes() -> (Arc<ManualClock>, Changes) {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let changes = Changes::new(Arc::clone(&clock) as Arc<dyn Clock>);
        (clock, changes)
    }

    fn shown(changes: &Changes) -> AppState {
        *changes.state().borrow()
    }

    #[tokio::test]
    async fn a_change_waits_for_every_deferral() {
        let (_clock, changes) = changes();
        let mut listeners = [changes.listen(), changes.listen()];
        let mut change = std::pin::pin!(changes.change(AppState::Background));
        assert_eq!(change.as_mut().now_or_never(), None);
        for listener in &mut listeners {
            let told = listener.next().await.unwrap();
            assert_eq!(told.state, AppState::Background);
            assert_eq!(change.as_mut().now_or_never(), None);
            assert_eq!(shown(&changes), AppState::Foreground);
            drop(told.deferral);
        }
        assert_eq!(change.now_or_never(), Some(()));
        assert_eq!(shown(&changes), AppState::Background);
    }

    #[tokio::test]
    async fn a_deferral_does_not_lengthen_the_time() {
        let (clock, changes) = changes();
        let mut listener = changes.listen();
        let mut change = std::pin::pin!(changes.change(AppState::Background));
        assert_eq!(change.as_mut().now_or_never(), None);
        let told = listener.next().await.unwrap();
        clock.advance(GRANTED - Duration::from_millis(1));
        assert_eq!(change.as_mut().now_or_never(), None);
        clock.advance(Duration::from_millis(1));
        assert_eq!(change.now_or_never(), Some(()));
        assert_eq!(shown(&changes), AppState::Background);
        drop(told);
    }

    #[tokio::test]
    async fn without_a_listener_or_a_change_nothing_waits() {
        let (_clock, changes) = changes();
        drop(changes.listen());
        let change = changes.change(AppState::Background);
        assert_eq!(change.now_or_never(), Some(()));
        let mut listener = changes.listen();
        let same = changes.change(AppState::Background);
        assert_eq!(same.now_or_never(), Some(()));
        assert!(listener.next().now_or_never().is_none());
    }
}
