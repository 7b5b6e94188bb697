//! Watches the sessions once somebody needs to know.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bgtask_model::Predicate;
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, watch};
use zbus::{Connection, MatchRule};

use super::{
    FACTS,
    logind::{self, Said},
    users,
};
use crate::{
    Reading,
    clock::{Bell, Clock, Watch},
    monitor::{
        bus::{self, Asking, Unanswered},
        demand::Needs,
        folder,
        hub::{Report, Source},
    },
};

/// So long nobody has used a computer that idles. Android, whose
/// [word](https://developer.android.com/reference/android/app/job/JobInfo.Builder#setRequiresDeviceIdle(boolean))
/// it is, names no time.
const IDLE: Duration = Duration::from_secs(30 * 60);

/// How often a session on a terminal is looked at, which tells nobody that it is used, and a logind
/// that does not answer.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Where the sessions are read.
pub(super) struct Places {
    /// The system bus, if it is not the usual one.
    pub(super) address: Option<String>,
    /// `/run/systemd/users`
    pub(super) users: PathBuf,
    pub(super) uid: u32,
}

/// Watches while somebody needs it; more needs are read at once.
pub(super) async fn run(
    places: Places,
    bell: Option<Arc<Bell>>,
    clock: Arc<dyn Clock>,
    mut needs: watch::Receiver<Needs>,
    reports: mpsc::UnboundedSender<Report>,
) {
    let is_needed = |needs: &Needs| FACTS.iter().any(|fact| needs.has(fact));
    let mut end = needs.clone();
    // Once nobody is left who could need it, it fails.
    while needs.wait_for(is_needed).await.is_ok() {
        tokio::select! {
            () = watch(&places, bell.as_deref(), &*clock, needs.clone(), &reports) => {}
            over = end.wait_for(|needs| !is_needed(needs)) => if over.is_err() {
                return;
            }
        }
        FACTS.into_iter().for_each(|fact| {
            // The hub ends only with everything else.
            let _ = reports.send(forgets(fact));
        });
    }
}

/// Nobody needs it any more.
fn forgets(fact: Predicate) -> Report {
    Report {
        fact,
        source: Source::Logind,
        reading: None,
    }
}

async fn watch(
    places: &Places,
    bell: Option<&Bell>,
    clock: &dyn Clock,
    needs: watch::Receiver<Needs>,
    reports: &mpsc::UnboundedSender<Report>,
) {
    let rung = Arc::new(Notify::new());
    // Not all of it is told on the bus: a session that closes while something of it still runs.
    let files = bell.and_then(|bell| {
        let name = places.uid.to_string();
        let watched = folder::watch(bell, &places.users, &[&name], &rung);
        // Without logind there is no such folder.
        watched.ok()
    });
    let mut sessions = Sessions {
        places,
        clock,
        needs,
        reports,
        rung,
        look_again: None,
        idle: Idle::default(),
        _files: files,
    };
    bus::follow(places.address.as_deref(), clock, &mut sessions).await;
    loop {
        sessions.rung().await;
        sessions.ask(None).await;
    }
}

struct Sessions<'a> {
    places: &'a Places,
    clock: &'a dyn Clock,
    needs: watch::Receiver<Needs>,
    reports: &'a mpsc::UnboundedSender<Report>,
    /// By the files.
    rung: Arc<Notify>,
    /// When time alone makes another answer likely.
    look_again: Option<Timestamp>,
    idle: Idle,
    _files: Option<Watch>,
}

impl Asking for Sessions<'_> {
    fn bells(&self) -> zbus::Result<Vec<MatchRule<'static>>> {
        logind::bells()
    }

    async fn ask(&mut self, bus: Option<&Connection>) {
        let said = match bus {
            Some(bus) => logind::ask(bus, self.clock, self.places.uid).await,
            None => Err(Unanswered::Refused),
        };
        self.tell(said.ok());
        if said == Err(Unanswered::Silent) {
            // It is there: it may have more to say another time.
            self.look_again = self.clock.now().saturating_add(LOOK_AGAIN).ok();
        }
    }

    async fn rung(&mut self) {
        let again = async {
            match self.look_again {
                Some(at) => self.clock.until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.rung.notified() => {}
            () = again => {}
            changed = self.needs.changed() => if changed.is_err() {
                // Nobody is left who could need more.
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Sessions<'_> {
    /// Tells every fact that somebody needs.
    fn tell(&mut self, said: Option<Said>) {
        let now = self.clock.now();
        let known = |value: Option<bool>| value.map_or(Reading::Unknown, Reading::Known);
        let idle_at = said.map(|said| self.idle.at(said.idle_since, now));
        let is_idle = idle_at.map(|at| at.is_some_and(|at| at <= now));
        self.look_again = self.next_look(now, said, idle_at.flatten());
        let needs = self.needs.borrow_and_update().clone();
        let logind = [
            (Predicate::UserPresent, said.map(|said| said.present)),
            (Predicate::SessionConnected, said.map(|said| said.connected)),
            (Predicate::DeviceIdle, is_idle),
        ];
        let needed = |fact: &Predicate| needs.has(fact);
        for fact in FACTS.into_iter().filter(|fact| !needed(fact)) {
            // The hub ends only with everything else.
            let _ = self.reports.send(forgets(fact));
        }
        for (fact, value) in logind.into_iter().filter(|(fact, _)| needed(fact)) {
            self.report(fact, Source::Logind, known(value));
        }
        if needed(&Predicate::SessionConnected) {
            let guess = users::connected(&self.places.users, self.places.uid);
            self.report(Predicate::SessionConnected, Source::Users, guess);
        }
    }

    fn next_look(
        &self,
        now: Timestamp,
        said: Option<Said>,
        idle_at: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let needs = self.needs.borrow();
        let idle = idle_at.filter(|at| needs.has(&Predicate::DeviceIdle) && *at > now);
        let terminal = said.filter(|said| said.has_terminal);
        let terminal = terminal.and_then(|_| now.saturating_add(LOOK_AGAIN).ok());
        idle.into_iter().chain(terminal).min()
    }

    fn report(&self, fact: Predicate, source: Source, reading: Reading) {
        // The hub ends only with everything else.
        let _ = self.reports.send(Report {
            fact,
            source,
            reading: Some(reading),
        });
    }
}

/// What was seen of a device's use.
#[derive(Debug, Default)]
struct Idle {
    /// Somebody used it.
    was_used: bool,
    /// Since when nobody does.
    unused: Option<Timestamp>,
}

impl Idle {
    /// From when on it idles, if nobody uses it. Without a session logind knows no time, but here may
    /// have been seen when the last one ended.
    fn at(&mut self, since: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let Some(since) = since else {
            (self.was_used, self.unused) = (true, None);
            return None;
        };
        let since = match self.unused {
            _ if since != Timestamp::UNIX_EPOCH => since,
            Some(seen) => seen,
            None if self.was_used => now,
            None => since,
        };
        self.unused = Some(since);
        Some(since.saturating_add(IDLE).unwrap_or(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_session_it_counts_what_was_seen() {
        let at = |second: i64| Timestamp::from_second(second).expect("in range");
        let nobody = Some(Timestamp::UNIX_EPOCH);
        let mut idle = Idle::default();
        // Nobody has used it as far as anybody knows.
        assert_eq!(idle.at(nobody, at(5000)), Some(at(1800)));
        // Somebody comes, and leaves.
        assert_eq!(idle.at(None, at(6000)), None);
        assert_eq!(idle.at(nobody, at(7000)), Some(at(8800)));
        assert_eq!(idle.at(nobody, at(7500)), Some(at(8800)));
        // A session that idles since a time, and then ends.
        assert_eq!(idle.at(None, at(9000)), None);
        assert_eq!(idle.at(Some(at(9500)), at(9600)), Some(at(11_300)));
        assert_eq!(idle.at(nobody, at(9700)), Some(at(11_300)));
        // It was used while nobody looked.
        assert_eq!(idle.at(Some(at(9800)), at(9900)), Some(at(11_600)));
    }
}
