//! For tests: what monitors say, taken in until something is so.

use std::{collections::BTreeMap, process::Command, time::Duration};

use bgtask_model::{Declaration, FieldValue, Predicate, SystemEvent, grammar::Identity};
use tokio::sync::mpsc;

use super::{Change, Changes, bus_bench::missing};
use crate::Reading;

/// Far more than any step takes: a test that waits for so long has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Set in the process that runs inside of the namespace.
const INSIDE: &str = "BGTASK_TEST_INSIDE_NAMESPACE";

/// Runs `command`, which comes with the Debian package `package`; it has to succeed.
pub(super) fn run(package: &str, command: &[&str]) {
    let status = Command::new(command[0]).args(&command[1..]).status();
    let status = status.unwrap_or_else(|error| missing(package, command, &error));
    assert!(status.success(), "{command:?}: {status}");
}

/// Runs the test of this name, in a module, again in fresh namespaces of these kinds, with a space
/// in between, and `body` there.
pub(super) fn in_namespace<F: Future<Output = ()>>(
    kinds: &str,
    module: &str,
    test: &str,
    body: impl FnOnce() -> F,
) {
    if std::env::var_os(INSIDE).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let over = tokio::time::timeout(PATIENCE * 2, body()).await;
            over.expect("the test to end in time");
        });
        return;
    }
    let exe = std::env::current_exe().expect("a path");
    let name = format!("{}::{test}", module.split_once("::").expect("a crate").1);
    let command = ["unshare", "--map-root-user"];
    let output = Command::new(command[0])
        .args(&command[1..])
        .args(kinds.split(' ').map(|kind| format!("--{kind}")))
        .arg(exe)
        .args([&name, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .unwrap_or_else(|error| missing("util-linux", &command, &error));
    let out = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && out.contains("1 passed"),
        "in a namespace (which needs root, or user namespaces for all): {}\n{out}\n{error}",
        output.status
    );
}

/// A declaration with this trigger, and this condition unless it is empty.
pub(super) fn declared(trigger: &str, condition: &str) -> Declaration {
    let identity = Identity {
        default_name: "app::task".to_owned(),
        function: "app::task".to_owned(),
        description: None,
    };
    let mut fields = vec![("trigger".to_owned(), FieldValue::from(trigger))];
    if !condition.is_empty() {
        fields.push(("condition".to_owned(), FieldValue::from(condition)));
    }
    Declaration::from_fields(identity, fields.into_iter()).expect("a declaration")
}

/// What was told.
pub(super) struct Told {
    pub(super) changes: mpsc::UnboundedReceiver<Change>,
    /// By fact: each value and who said it, in the order told.
    pub(super) facts: BTreeMap<Predicate, Vec<(Reading, String)>>,
    pub(super) events: Vec<SystemEvent>,
}

impl Told {
    /// Where to tell, and who listens.
    pub(super) fn listen() -> (Changes, Self) {
        let (sender, changes) = mpsc::unbounded_channel();
        let told = Self {
            changes,
            facts: BTreeMap::new(),
            events: Vec::new(),
        };
        (sender, told)
    }

    /// Takes in what is said until a fact is so.
    pub(super) async fn until(&mut self, fact: Predicate, reading: Reading, source: &str) {
        let expected = (reading, source.to_owned());
        while self.last(&fact) != Some(&expected) {
            let next = tokio::time::timeout(PATIENCE, self.changes.recv()).await;
            let told = &self.facts;
            let next = next.unwrap_or_else(|_| panic!("{fact} is not {expected:?}: {told:?}"));
            self.take(next.expect("running monitors"));
        }
        // What was said together is there already.
        while let Ok(next) = self.changes.try_recv() {
            self.take(next);
        }
    }

    pub(super) fn last(&self, fact: &Predicate) -> Option<&(Reading, String)> {
        self.facts.get(fact)?.last()
    }

    fn take(&mut self, change: Change) {
        match change {
            Change::Fact(fact, is) => {
                let told = (is.reading, is.source);
                self.facts.entry(fact).or_default().push(told);
            }
            Change::Power { events, .. } => self.events.extend(events),
            Change::System { event, .. } => self.events.push(event),
            // The machine's own clock may be set while this runs.
            Change::Clock => {}
            other => panic!("{other:?}"),
        }
    }
}
