//! All wall-clock waits of a process on one timer of the kernel. It is always armed, so that
//! setting the clock and waking up from suspend are heard even while nobody waits
//! (`TFD_TIMER_CANCEL_ON_SET`, <https://man7.org/linux/man-pages/man2/timerfd_create.2.html>).

use std::{
    collections::BTreeMap,
    io,
    os::fd::{BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use rustix::{
    fs::Timespec,
    io::Errno,
    time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create,
        timerfd_settime,
    },
};
use tokio::sync::{oneshot, watch};

use crate::clock::{Bell, Keep, Watch};

#[derive(Debug)]
pub(super) struct Alarm {
    shared: Arc<Shared>,
    _watch: Watch,
}

#[derive(Debug)]
struct Shared {
    timer: Arc<OwnedFd>,
    waits: Mutex<Waits>,
    steps: Arc<watch::Sender<u64>>,
}

#[derive(Debug, Default)]
struct Waits {
    next: u64,
    pending: BTreeMap<(Timestamp, u64), oneshot::Sender<()>>,
}

/// Takes its wait off the list when it is dropped, so that nobody is woken up for it.
struct Pending<'a> {
    shared: &'a Shared,
    key: (Timestamp, u64),
}

impl Alarm {
    pub(super) fn start(bell: &Bell, steps: Arc<watch::Sender<u64>>) -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let shared = Arc::new(Shared {
            timer: Arc::new(timerfd_create(TimerfdClockId::Realtime, flags)?),
            waits: Mutex::default(),
            steps,
        });
        shared.set(None)?;
        let watch = bell.watch(Arc::clone(&shared.timer), {
            let shared = Arc::clone(&shared);
            move |timer| shared.rung(timer)
        });
        Ok(Self {
            shared,
            _watch: watch,
        })
    }

    pub(super) async fn until(&self, at: Timestamp) {
        if Timestamp::now() >= at {
            return;
        }
        let (pending, over) = self.shared.add(at);
        let _ = over.await;
        drop(pending);
    }
}

impl Shared {
    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, at: Timestamp) -> (Pending<'_>, oneshot::Receiver<()>) {
        let (sender, over) = oneshot::channel();
        let mut waits = self.waits();
        let key = (at, waits.next);
        waits.next += 1;
        waits.pending.insert(key, sender);
        if waits.first() == Some(at) {
            self.arm(&mut waits);
        }
        (Pending { shared: self, key }, over)
    }

    /// Sets the timer to the earliest wait.
    fn arm(&self, waits: &mut Waits) {
        match self.set(waits.first()) {
            Ok(()) => {}
            // The clock was set and nobody had read that yet. The timer is armed all the same.
            Err(Errno::CANCELED) => self.step(waits),
            // Cannot happen to a valid timer; whoever waits looks again instead of hanging.
            Err(error) => {
                tracing::error!(%error, "the timer cannot be set");
                waits.pending.clear();
            }
        }
    }

    fn set(&self, at: Option<Timestamp>) -> Result<(), Errno> {
        let at = at.unwrap_or(Timestamp::MAX);
        let value = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            // Zero would disarm it, and before 1970 is not accepted: both are long over.
            it_value: if at > Timestamp::UNIX_EPOCH {
                Timespec {
                    tv_sec: at.as_second(),
                    tv_nsec: at.subsec_nanosecond().into(),
                }
            } else {
                Timespec {
                    tv_sec: 0,
                    tv_nsec: 1,
                }
            },
        };
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        timerfd_settime(&self.timer, flags, &value).map(drop)
    }

    /// The clock was set: every wait ends, whoever waits looks again.
    fn step(&self, waits: &mut Waits) {
        waits.pending.clear();
        self.steps.send_modify(|steps| *steps += 1);
    }

    fn rung(&self, timer: BorrowedFd<'_>) -> Keep {
        let read = rustix::io::read(timer, &mut [0; 8]);
        let mut waits = self.waits();
        if read == Err(Errno::CANCELED) {
            self.step(&mut waits);
        }
        waits.end(Timestamp::now());
        self.arm(&mut waits);
        Keep::Watching
    }
}

impl Waits {
    fn first(&self) -> Option<Timestamp> {
        self.pending.keys().next().map(|(at, _)| *at)
    }

    /// Ends what is over. Dropping the sender is the message.
    fn end(&mut self, now: Timestamp) {
        while self.first().is_some_and(|at| at <= now) {
            self.pending.pop_first();
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        let mut waits = self.shared.waits();
        let was_first = waits.first() == Some(self.key.0);
        if waits.pending.remove(&self.key).is_some() && was_first {
            self.shared.arm(&mut waits);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::{FutureExt, future::join_all};

    use super::*;
    use crate::clock::{Clock, SystemClock};

    fn clock() -> (Arc<Bell>, SystemClock) {
        let bell = Bell::start().expect("a thread");
        let clock = SystemClock::with_bell(&bell).expect("a timer");
        (bell, clock)
    }

    #[tokio::test]
    async fn waits_end_on_time_whatever_their_order() {
        let (_bell, clock) = clock();
        let now = clock.now();
        join_all([30u64, 5, 20, 5, 10].map(|ms| {
            let clock = &clock;
            async move {
                let at = now + Duration::from_millis(ms);
                // A machine that resumes or sets its clock may end it early: look again.
                while clock.now() < at {
                    clock.until(at).await;
                }
            }
        }))
        .await;
        clock.until(Timestamp::UNIX_EPOCH).await;
        clock.until(Timestamp::MIN).await;
    }

    #[tokio::test]
    async fn dropped_waits_leave_nothing_behind() {
        let (_bell, clock) = clock();
        let near = clock.now() + Duration::from_secs(3600);
        let mut far = clock.until(near + Duration::from_secs(1));
        assert_eq!(far.as_mut().now_or_never(), None);
        assert_eq!(clock.until(near).now_or_never(), None);
        let shared = &clock.alarm.as_ref().expect("a bell").shared;
        assert_eq!(shared.waits().first(), Some(near + Duration::from_secs(1)));
        drop(far);
        assert_eq!(shared.waits().first(), None);
        let set = rustix::time::timerfd_gettime(&shared.timer).expect("a timer");
        assert!(set.it_value.tv_sec > 3600 * 24 * 365, "armed for steps");
    }

    #[tokio::test]
    async fn a_step_ends_all_waits_and_is_counted() {
        let (_bell, clock) = clock();
        let mut steps = clock.steps();
        let mut wait = clock.until(clock.now() + Duration::from_secs(3600));
        assert_eq!(wait.as_mut().now_or_never(), None);
        let shared = &clock.alarm.as_ref().expect("a bell").shared;
        shared.step(&mut shared.waits());
        wait.await;
        assert!(matches!(steps.changed().now_or_never(), Some(Ok(()))));
    }
}
