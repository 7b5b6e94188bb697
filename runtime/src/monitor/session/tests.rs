//! Against a bus of our own with a stand-in for logind, and its files in a folder.

use std::{
    collections::HashMap,
    ops::{Deref, DerefMut},
    os::unix::net::UnixListener,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use bgtask_model::{
    Predicate::{self, DeviceIdle, SessionConnected, UserPresent},
    SystemEvent,
};
use futures_util::StreamExt;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::{sync::Notify, task::JoinHandle};
use zbus::{
    Connection, MessageStream,
    wire::{ObjectPath, Variant},
};

use super::*;
use crate::{
    Reading::{Guess, Known, Unknown},
    clock::{ManualClock, SystemClock},
    monitor::{
        Demand, Monitors, PowerWatch,
        bench::{Told, declared},
        bus_bench::{Bus, Process},
    },
};

const ALL: &str = "user_present || session_disconnected || device_idle";

const LOGIND: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const SESSION: &str = "org.freedesktop.login1.Session";

/// Running monitors, and what they say.
struct Bench {
    told: Told,
    monitors: Monitors,
    users: TempDir,
    _bell: Arc<Bell>,
}

impl Deref for Bench {
    type Target = Told;

    fn deref(&self) -> &Told {
        &self.told
    }
}

impl DerefMut for Bench {
    fn deref_mut(&mut self) -> &mut Told {
        &mut self.told
    }
}

impl Bench {
    fn start(address: &str) -> Self {
        Self::start_with(address, |bell| {
            Arc::new(SystemClock::with_bell(bell).expect("a timer"))
        })
    }

    fn start_with(address: &str, clock: impl FnOnce(&Arc<Bell>) -> Arc<dyn Clock>) -> Self {
        let users = tempfile::tempdir().expect("a folder");
        let config = MonitorConfig {
            etc: PathBuf::from("/nonexistent"),
            tz: None,
            network: false,
            network_manager: false,
            system_bus: Some(address.to_owned()),
            users: users.path().to_owned(),
            ..MonitorConfig::default()
        };
        let bell = Bell::start().expect("a thread");
        let (sender, told) = Told::listen();
        let clock = clock(&bell);
        Self {
            told,
            monitors: Monitors::start(sender, clock, Some(&bell), config),
            users,
            _bell: bell,
        }
    }

    fn need(&self, trigger: &str, condition: &str) {
        let declaration = declared(trigger, condition);
        self.monitors.demand().need(&declaration);
    }

    fn release(&self, trigger: &str, condition: &str) {
        let declaration = declared(trigger, condition);
        self.monitors.demand().release(&declaration);
    }

    /// As logind does it: another file takes the place of the old one.
    fn state(&self, state: &str) {
        let new = self.users.path().join(".new");
        std::fs::write(&new, format!("NAME=ada\nSTATE={state}\n")).expect("written");
        let file = self.users.path().join(uid().to_string());
        std::fs::rename(new, file).expect("renamed");
    }

    async fn logind(&mut self, fact: Predicate, value: bool) {
        self.until(fact, Known(value), "logind").await;
    }
}

fn uid() -> u32 {
    rustix::process::getuid().as_raw()
}

impl Bus {
    fn logind(&self) -> Process {
        self.mock("logind")
    }

    /// A session on a seat, in front of the others. The stand-in does not tell of it by itself.
    async fn log_in(&self, id: &str, uid: u32) {
        let session = (id, "seat0", uid, "ada", true);
        self.call(LOGIND, PATH, "AddSession", &session).await;
        self.told("SessionNew", id).await;
    }

    async fn told(&self, signal: &str, id: &str) {
        let path = path(id);
        let path = ObjectPath::try_from(&*path).expect("a path");
        let arguments = vec![Variant::from(id), Variant::from(path)];
        let body = (MANAGER, signal, "so", arguments);
        self.call(LOGIND, PATH, "EmitSignal", &body).await;
    }

    async fn session<const N: usize>(&self, id: &str, properties: [(&str, Variant<'_>); N]) {
        let body = (SESSION, HashMap::from(properties));
        self.call(LOGIND, &path(id), "UpdateProperties", &body)
            .await;
    }

    async fn manager<const N: usize>(&self, properties: [(&str, Variant<'_>); N]) {
        let body = (MANAGER, HashMap::from(properties));
        self.call(LOGIND, PATH, "UpdateProperties", &body).await;
    }
}

fn path(id: &str) -> String {
    format!("{PATH}/session/{id}")
}

#[tokio::test]
async fn logind_is_believed_while_it_is_there() {
    let bus = Bus::start();
    let mut bench = Bench::start(&bus.address);
    bench.state("active");
    bench.need("startup", ALL);
    // Nobody has its name yet: the files say what they can.
    bench.until(SessionConnected, Guess(true), "users").await;
    assert_eq!(bench.last(&UserPresent), None);
    assert_eq!(bench.events, []);

    let logind = bus.logind();
    bench.logind(SessionConnected, false).await;
    bench.logind(UserPresent, false).await;
    // Somebody else, who does not count.
    bus.log_in("c1", uid() + 1).await;
    bus.log_in("c2", uid()).await;
    bench.logind(UserPresent, true).await;
    bench.logind(SessionConnected, true).await;
    let mut events = std::mem::take(&mut bench.events);
    events.sort();
    let expected = [SystemEvent::UserPresent, SystemEvent::SessionConnected];
    assert_eq!(events, expected);

    bus.session("c2", [("IdleHint", true.into())]).await;
    bench.logind(UserPresent, false).await;
    bus.session("c2", [("IdleHint", false.into())]).await;
    bench.logind(UserPresent, true).await;
    bus.session("c2", [("LockedHint", true.into())]).await;
    bench.logind(UserPresent, false).await;
    bus.session("c2", [("LockedHint", false.into())]).await;
    bench.logind(UserPresent, true).await;
    // Another user is switched to: the session stays, behind theirs.
    let behind = [("Active", false.into()), ("State", "online".into())];
    bus.session("c2", behind).await;
    bench.logind(UserPresent, false).await;
    assert_eq!(
        bench.facts[&SessionConnected].last(),
        Some(&(Known(true), "logind".to_owned()))
    );
    use SystemEvent::{UserAway, UserPresent as Back};
    assert_eq!(bench.events, [UserAway, Back, UserAway, Back, UserAway]);

    // A session that closes while something of it still runs is not told of on the bus.
    bus.call(LOGIND, PATH, "RemoveObject", &path("c2")).await;
    bench.state("closing");
    bench.logind(SessionConnected, false).await;
    bus.log_in("c3", uid()).await;
    bench.logind(UserPresent, true).await;
    bus.call(LOGIND, PATH, "RemoveObject", &path("c3")).await;
    bus.told("SessionRemoved", "c3").await;
    bench.logind(SessionConnected, false).await;

    // It dies: nobody knows of the user, and the files say what they can.
    bench.facts.clear();
    bench.events.clear();
    logind.end();
    bench.until(UserPresent, Unknown, "logind").await;
    bench.until(SessionConnected, Guess(false), "users").await;
    bench.state("active");
    bench.until(SessionConnected, Guess(true), "users").await;
    assert_eq!(bench.events, [SystemEvent::SessionConnected]);
    // It comes back with a fresh state, and is asked again.
    let logind = bus.logind();
    bench.logind(SessionConnected, false).await;
    bench.logind(UserPresent, false).await;

    // The bus dies, and comes back.
    let Bus { daemon, folder, .. } = bus;
    daemon.end();
    bench.until(SessionConnected, Guess(true), "users").await;
    logind.end();
    bench.state("lingering");
    bench.until(SessionConnected, Guess(false), "users").await;
    std::fs::remove_file(folder.path().join("bus")).expect("its socket");
    let bus = Bus::start_in(folder);
    let logind = bus.logind();
    bench.logind(SessionConnected, false).await;
    logind.end();
}

#[tokio::test]
async fn without_a_bus_the_files_tell_of_sessions() {
    let mut bench = Bench::start("unix:path=/nonexistent/bus");
    assert!(!bench.monitors.demand().has_system_bus());
    bench.need("system(session_connected)", "user_present");
    bench.until(SessionConnected, Guess(false), "users").await;
    bench.state("online");
    bench.until(SessionConnected, Guess(true), "users").await;
    assert_eq!(bench.events, [SystemEvent::SessionConnected]);
    bench.state("closing");
    bench.until(SessionConnected, Guess(false), "users").await;
    assert_eq!(bench.facts.len(), 1, "nobody knows of the user");
}

#[tokio::test]
async fn without_files_nobody_has_a_session() {
    let mut bench = Bench::start("unix:path=/nonexistent/bus");
    std::fs::remove_dir(bench.users.path()).expect("removed");
    bench.need("startup", "session_connected");
    bench.until(SessionConnected, Guess(false), "users").await;
}

/// Monitors whose time stands still, on a bus whose logind has that much to say.
async fn standing(
    bus: &Bus,
    condition: &str,
    said: impl AsyncFnOnce(),
) -> (Process, Arc<ManualClock>, Bench) {
    let logind = bus.logind();
    let mut ready = Bench::start(&bus.address);
    ready.need("startup", "user_present");
    ready.logind(UserPresent, false).await;
    said().await;
    let clock = Arc::new(ManualClock::new(NOW));
    let bench = Bench::start_with(&bus.address, |_| clock.clone());
    bench.need("startup", condition);
    (logind, clock, bench)
}

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

#[tokio::test]
async fn a_device_idles_when_nobody_has_used_it_for_half_an_hour() {
    let bus = Bus::start();
    let minute = Duration::from_secs(60);
    let since = u64::try_from((NOW - 20 * minute).as_microsecond()).expect("after 1970");
    let said = async || {
        bus.log_in("c1", uid()).await;
        bus.manager([("IdleHint", true.into()), ("IdleSinceHint", since.into())])
            .await;
    };
    let (_logind, clock, mut bench) = standing(&bus, ALL, said).await;
    bench.logind(DeviceIdle, false).await;
    bench.logind(UserPresent, true).await;
    clock.waiting(1).await;
    clock.advance(minute * 10 - Duration::from_millis(1));
    assert!(bench.changes.try_recv().is_err(), "too early");
    clock.advance(Duration::from_millis(1));
    bench.logind(DeviceIdle, true).await;
    bus.manager([("IdleHint", false.into())]).await;
    bench.logind(DeviceIdle, false).await;
}

#[tokio::test]
async fn a_machine_that_nobody_uses_idles_at_once() {
    let bus = Bus::start();
    let said = async || bus.manager([("IdleHint", true.into())]).await;
    let (_logind, clock, mut bench) = standing(&bus, "device_idle", said).await;
    bench.logind(DeviceIdle, true).await;
    assert_eq!(clock.count(), 0, "somebody waits");
    assert_eq!(bench.facts.len(), 1, "nothing else is needed");
}

#[tokio::test]
async fn a_terminal_is_looked_at_from_time_to_time() {
    let bus = Bus::start();
    let said = async || {
        bus.log_in("c1", uid()).await;
        bus.session("c1", [("Type", "tty".into())]).await;
    };
    let (_logind, clock, mut bench) = standing(&bus, "user_present", said).await;
    bench.logind(UserPresent, true).await;
    clock.waiting(1).await;
    // Nobody tells.
    bus.call(LOGIND, PATH, "RemoveObject", &path("c1")).await;
    clock.advance(Duration::from_secs(59));
    assert!(bench.changes.try_recv().is_err(), "too early");
    clock.advance(Duration::from_secs(1));
    bench.logind(UserPresent, false).await;
    assert_eq!(clock.count(), 0, "somebody waits");
}

#[tokio::test]
async fn nothing_is_asked_before_somebody_needs_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("bus");
    let bus = UnixListener::bind(&socket).expect("a socket");
    bus.set_nonblocking(true).expect("told");
    let mut bench = Bench::start(&format!("unix:path={}", socket.display()));
    assert!(bench.monitors.demand().has_system_bus());
    bench.state("active");
    bench.need("system(time_zone_change)", "internet && app::ready");
    // Another fact goes all the way while these do not.
    let ready = Predicate::User("app::ready".to_owned());
    bench.monitors.inject(&ready, Known(true));
    bench.until(ready, Known(true), "injected").await;
    assert!(bus.accept().is_err(), "it connects");
    bench.need("startup", "session_disconnected");
    let bus = tokio::net::UnixListener::from_std(bus).expect("a socket");
    drop(bus.accept().await.expect("a connection"));
    drop((bus, folder));
    bench.until(SessionConnected, Guess(true), "users").await;
    assert_eq!(bench.last(&UserPresent), None);
    // More is needed: it is read at once.
    bench.need("startup", "user_present");
    bench.monitors.inject(&UserPresent, Known(true));
    bench.until(UserPresent, Known(true), "injected").await;
}

#[tokio::test]
async fn what_nobody_needs_is_not_watched_and_no_edge_later() {
    let bus = Bus::start();
    let said = async || {
        bus.log_in("c1", uid()).await;
        bus.session("c1", [("Type", "tty".into())]).await;
    };
    let (_logind, clock, mut bench) = standing(&bus, "session_connected", said).await;
    bench.need("system(user_away)", "");
    bench.logind(UserPresent, true).await;
    bench.logind(SessionConnected, true).await;
    bench.release("system(user_away)", "");
    bench.until(UserPresent, Unknown, "logind").await;
    assert_eq!(clock.count(), 1, "the other one is still looked at");
    bus.session("c1", [("IdleHint", true.into())]).await;
    bench.need("system(user_away)", "");
    bench.logind(UserPresent, false).await;
    assert_eq!(bench.events, [], "when they left is not known");
    bench.release("system(user_away)", "");
    bench.release("startup", "session_connected");
    bench.until(UserPresent, Unknown, "logind").await;
    bench.until(SessionConnected, Unknown, "logind").await;
    assert_eq!(clock.count(), 0, "somebody waits");
    bus.session("c1", [("IdleHint", false.into())]).await;
    bench.need("system(user_present)", "");
    bench.logind(UserPresent, true).await;
    assert_eq!(bench.events, [], "when they came is not known");
    bus.session("c1", [("IdleHint", true.into())]).await;
    bench.logind(UserPresent, false).await;
    assert_eq!(bench.events, [SystemEvent::UserAway]);
}

/// A logind with one session, of which it tells while it is let. The notice: it did not.
async fn speaks(
    bus: &Bus,
    lets: watch::Receiver<bool>,
    silent: Arc<Notify>,
) -> (Connection, JoinHandle<()>) {
    let builder = zbus::conn::Builder::address(&*bus.address).name(LOGIND);
    let logind = builder.build().await.expect("a bus");
    let (speaker, mut calls) = (logind.clone(), MessageStream::from(&logind));
    let serves = tokio::spawn(async move {
        while let Some(Ok(call)) = calls.next().await {
            let header = call.header();
            let member = header.member().map_or("", |member| member.as_str());
            let object = header.path().map_or("", |object| object.as_str());
            let session = path("c1");
            let answered = match member {
                "ListSessions" => {
                    let session = ObjectPath::try_from(&*session).expect("a path");
                    let all = vec![("c1", uid(), "ada", "seat0", session)];
                    speaker.reply(&header, &all).await
                }
                "GetAll" if object == PATH => {
                    let none = HashMap::<&str, Variant<'_>>::new();
                    speaker.reply(&header, &none).await
                }
                "GetAll" if *lets.borrow() => {
                    let all = [
                        ("Class", Variant::from("user")),
                        ("State", "active".into()),
                        ("Active", true.into()),
                    ];
                    speaker.reply(&header, &HashMap::from(all)).await
                }
                "GetAll" => {
                    silent.notify_one();
                    Ok(())
                }
                _ => Ok(()),
            };
            answered.expect("answered");
        }
    });
    (logind, serves)
}

#[tokio::test]
async fn a_session_of_which_nothing_is_told_has_not_ended() {
    let bus = Bus::start();
    let (lets, let_) = watch::channel(true);
    let silent = Arc::new(Notify::new());
    let (logind, serves) = speaks(&bus, let_, Arc::clone(&silent)).await;
    let clock = Arc::new(ManualClock::new(NOW));
    let mut bench = Bench::start_with(&bus.address, |_| clock.clone());
    bench.need("system(user_away)", "");
    bench.logind(UserPresent, true).await;
    lets.send_replace(false);
    let new = ("c1", ObjectPath::try_from(path("c1")).expect("a path"));
    let told = logind.emit_signal(None::<&str>, PATH, MANAGER, "SessionNew", &new);
    told.await.expect("told");
    silent.notified().await;
    // It waits for an answer, and no longer than that.
    assert_eq!(clock.count(), 1);
    clock.advance(Duration::from_secs(2));
    bench.until(UserPresent, Unknown, "logind").await;
    lets.send_replace(true);
    clock.waiting(1).await;
    clock.advance(Duration::from_secs(60));
    bench.logind(UserPresent, true).await;
    assert_eq!(bench.events, [], "nobody left");
    serves.abort();
}

#[test]
fn what_a_declaration_needs() {
    for (trigger, condition, expected) in [
        ("startup", "", &[][..]),
        ("startup", "internet", &[]),
        ("startup", "!user_not_present", &[UserPresent]),
        (
            "startup",
            "session_disconnected && device_idle",
            &[SessionConnected, DeviceIdle],
        ),
        ("system(user_present)", "", &[UserPresent]),
        ("system(user_away)", "", &[UserPresent]),
        ("system(session_connected, once)", "", &[SessionConnected]),
        ("system(internet_available)", "", &[]),
    ] {
        let demand = Demand::new(PowerWatch::of_nobody(), true, watch::channel(None).1);
        demand.need(&declared(trigger, condition));
        let needs = demand.needs().borrow().clone();
        let ours = FACTS.iter().filter(|fact| needs.has(fact));
        assert_eq!(
            ours.cloned().collect::<Vec<_>>(),
            expected,
            "{trigger} {condition}"
        );
    }
}
