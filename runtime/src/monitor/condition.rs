//! Runs the program's own conditions. One that fails or panics is unknown, and is started again
//! after 0.1 s, then ever later, up to a minute; one that returns keeps its last value.

use std::{collections::BTreeSet, sync::Arc};

use bgtask_model::Predicate;
use tokio::{sync::mpsc, task::JoinSet};

use super::{
    ConditionReporter, Reading,
    hub::{Report, Source},
    shell::Condition,
    supervised::supervised,
};
use crate::clock::Clock;

/// Starts those that are asked for, each once, and passes their words on. Ends when nobody can ask
/// any more and all of them have returned.
pub(super) async fn watch(
    mut asked: mpsc::UnboundedReceiver<Condition>,
    clock: Arc<dyn Clock>,
    reports: mpsc::UnboundedSender<Report>,
) {
    let (report, mut said) = mpsc::unbounded_channel();
    let mut report = Some(report);
    let mut watched = BTreeSet::new();
    let mut tasks = JoinSet::new();
    loop {
        let (name, reading) = tokio::select! {
            condition = asked.recv(), if report.is_some() => {
                match (condition, &report) {
                    (Some(condition), Some(report)) => {
                        if watched.insert(condition.0) {
                            tasks.spawn(keep(condition, Arc::clone(&clock), report.clone()));
                        }
                    }
                    _ => report = None,
                }
                continue;
            }
            said = said.recv() => match said {
                Some(said) => said,
                None => return,
            },
        };
        let report = Report {
            fact: Predicate::User(name.to_owned()),
            source: Source::Condition,
            reading: Some(reading),
        };
        if reports.send(report).is_err() {
            return;
        }
    }
}

async fn keep(
    (name, watch): Condition,
    clock: Arc<dyn Clock>,
    report: mpsc::UnboundedSender<(&'static str, Reading)>,
) {
    let run = || {
        watch(ConditionReporter {
            name,
            report: report.clone(),
        })
    };
    let failed = |error: &str, wait| {
        tracing::warn!(condition = name, error, retry = ?wait, "a condition failed");
        report.send((name, Reading::Unknown)).is_ok()
    };
    supervised(&*clock, run, failed).await;
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        time::Duration,
    };

    use jiff::Timestamp;
    use tokio::sync::Notify;

    use super::*;
    use crate::{clock::ManualClock, monitor::supervised::LONGEST};

    struct Bench {
        clock: Arc<ManualClock>,
        reports: mpsc::UnboundedReceiver<Report>,
        tasks: JoinSet<()>,
    }

    fn bench(condition: Condition) -> Bench {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let (sender, reports) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let as_clock: Arc<dyn Clock> = clock.clone();
        let (ask, asked) = mpsc::unbounded_channel();
        // Asked for twice, it runs once.
        ask.send(condition).unwrap();
        ask.send(condition).unwrap();
        tasks.spawn(watch(asked, as_clock, sender));
        Bench {
            clock,
            reports,
            tasks,
        }
    }

    impl Bench {
        async fn next(&mut self) -> Reading {
            let report = self.reports.recv().await.expect("a report");
            assert_eq!(report.source, Source::Condition);
            report.reading.expect("a reading")
        }
    }

    #[tokio::test]
    async fn what_returns_keeps_its_value() {
        let mut bench = bench(("app::once", |report| {
            Box::pin(async move {
                report.set(true);
                Ok(())
            })
        }));
        assert_eq!(bench.next().await, Reading::Known(true));
        // Ended and forgotten: nothing waits for a restart, and nobody is left to report.
        while bench.tasks.join_next().await.is_some() {}
        assert_eq!(bench.reports.try_recv().ok(), None);
    }

    #[tokio::test]
    async fn failures_and_panics_are_unknown_and_tried_again_ever_later() {
        static STARTS: AtomicU32 = AtomicU32::new(0);
        let mut bench = bench(("app::flaky", |report| {
            match STARTS.fetch_add(1, Ordering::SeqCst) {
                0 => panic!("expected by this test, before there is a future"),
                1 => Box::pin(async { panic!("expected by this test") }),
                2 => Box::pin(async { Err("no such file".to_owned()) }),
                _ => Box::pin(async move {
                    report.set(false);
                    std::future::pending().await
                }),
            }
        }));
        for wait in [100, 200, 400] {
            assert_eq!(bench.next().await, Reading::Unknown);
            bench.clock.waiting(1).await;
            let starts = STARTS.load(Ordering::SeqCst);
            bench.clock.advance(Duration::from_millis(wait - 1));
            tokio::task::yield_now().await;
            assert_eq!(STARTS.load(Ordering::SeqCst), starts, "too early");
            bench.clock.advance(Duration::from_millis(1));
        }
        assert_eq!(bench.next().await, Reading::Known(false));
    }

    #[tokio::test]
    async fn what_ran_for_long_is_tried_again_soon() {
        static STARTS: AtomicU32 = AtomicU32::new(0);
        static FAIL: Notify = Notify::const_new();
        let mut bench = bench(("app::old", |report| {
            STARTS.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                report.set(true);
                FAIL.notified().await;
                Err("its source is gone".to_owned())
            })
        }));
        for wait in [100, 200, 100] {
            assert_eq!(bench.next().await, Reading::Known(true));
            if wait == 100 {
                bench.clock.advance(LONGEST + Duration::from_secs(1));
            }
            FAIL.notify_one();
            assert_eq!(bench.next().await, Reading::Unknown);
            bench.clock.waiting(1).await;
            bench.clock.advance(Duration::from_millis(wait));
        }
        assert_eq!(bench.next().await, Reading::Known(true));
    }
}
