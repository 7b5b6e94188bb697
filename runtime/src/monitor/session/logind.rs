//! logind's word on the sessions of users, from the system bus.
//! <https://www.freedesktop.org/software/systemd/man/latest/org.freedesktop.login1.html>

use futures_util::future::join_all;
use jiff::Timestamp;
use zbus::{Connection, MatchRule, message::Type, wire::OwnedObjectPath};

use super::users;
use crate::{
    clock::Clock,
    monitor::{
        bus::{self, ATTEMPTS, PROPERTIES, Unanswered},
        properties::Properties,
    },
};

const NAME: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const SESSION: &str = "org.freedesktop.login1.Session";

/// What logind knows that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// The user has a session in front of them that is neither idle nor locked.
    pub(super) present: bool,
    /// The user has a session.
    pub(super) connected: bool,
    /// Since when nobody at all uses the computer, if it is so; the epoch if no session tells.
    pub(super) idle_since: Option<Timestamp>,
    /// One of the sessions is on a terminal: logind looks when it was used last, and does not tell.
    pub(super) has_terminal: bool,
}

/// Sessions that begin, end or change, and logind itself.
pub(super) fn bells() -> zbus::Result<Vec<MatchRule<'static>>> {
    let signal = || MatchRule::builder().msg_type(Type::Signal).sender(NAME);
    Ok(vec![
        signal()
            .path_namespace(PATH)
            .interface(PROPERTIES)
            .member("PropertiesChanged")
            .build()?,
        signal().path(PATH).interface(MANAGER).build()?,
        bus::owner_changed(NAME)?,
    ])
}

/// What it says. Of a session that it does not speak of, nothing is known: all is silence then.
pub(super) async fn ask(bus: &Connection, clock: &dyn Clock, uid: u32) -> Result<Said, Unanswered> {
    let manager = bus::proxy(bus, NAME, PATH, MANAGER).await;
    let manager = manager.map_err(|_| Unanswered::Refused)?;
    // Its id, user, user's name, seat and path.
    type Session = (String, u32, String, String, OwnedObjectPath);
    let sessions: Vec<Session> = bus::call(&manager, clock, "ListSessions", &(), ATTEMPTS).await?;
    let reads = sessions
        .iter()
        .map(|(_, user, .., path)| async move { (*user, session(bus, clock, path).await) });
    let mut sessions = Vec::new();
    for (user, properties) in join_all(reads).await {
        match properties {
            Ok(properties) => sessions.push((user, properties)),
            // It has ended meanwhile.
            Err(Unanswered::Refused) => {}
            Err(Unanswered::Silent) => return Err(Unanswered::Silent),
        }
    }
    let manager = properties(bus, clock, PATH, MANAGER).await?;
    Ok(said(&manager, &sessions, uid))
}

async fn session(
    bus: &Connection,
    clock: &dyn Clock,
    path: &str,
) -> Result<Properties, Unanswered> {
    properties(bus, clock, path, SESSION).await
}

async fn properties(
    bus: &Connection,
    clock: &dyn Clock,
    path: &str,
    interface: &str,
) -> Result<Properties, Unanswered> {
    let proxy = bus::proxy(bus, NAME, path, PROPERTIES).await;
    let proxy = proxy.map_err(|_| Unanswered::Refused)?;
    bus::call(&proxy, clock, "GetAll", &(interface,), 1).await
}

fn said(manager: &Properties, sessions: &[(u32, Properties)], uid: u32) -> Said {
    let of_users = sessions.iter().filter(|(_, session)| is_of_user(session));
    let ours = || of_users.clone().filter(|(user, _)| *user == uid);
    Said {
        present: ours().any(|(_, session)| is_present(session)),
        connected: ours()
            .any(|(_, session)| text(session, "State").is_some_and(users::is_connected)),
        idle_since: is(manager, "IdleHint").then(|| since(manager)),
        has_terminal: of_users
            .clone()
            .any(|(_, session)| text(session, "Type") == Some("tty")),
    }
}

/// Not the screen where users log in, nor a job that runs as one, nor their service manager.
fn is_of_user(session: &Properties) -> bool {
    text(session, "Class").is_none_or(|class| class.starts_with("user"))
}

fn is_present(session: &Properties) -> bool {
    is(session, "Active") && !is(session, "IdleHint") && !is(session, "LockedHint")
}

/// Microseconds of the real-time clock; with nobody logged in, nothing.
fn since(manager: &Properties) -> Timestamp {
    let since = manager.get("IdleSinceHint");
    let since = since.and_then(|since| u64::try_from(since).ok());
    let since = since.and_then(|since| i64::try_from(since).ok());
    let since = since.and_then(|since| Timestamp::from_microsecond(since).ok());
    since.unwrap_or(Timestamp::UNIX_EPOCH)
}

fn is(properties: &Properties, name: &str) -> bool {
    let value = properties.get(name);
    value.and_then(|value| bool::try_from(value).ok()) == Some(true)
}

fn text<'p>(properties: &'p Properties, name: &str) -> Option<&'p str> {
    properties.get(name)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use zbus::wire::{OwnedVariant, Variant};

    use super::*;

    const OURS: u32 = 1000;

    fn properties<const N: usize>(all: [(&str, Variant<'static>); N]) -> Properties {
        let owned = |value| OwnedVariant::try_from(value).expect("no descriptor");
        let all = all.into_iter();
        all.map(|(name, value)| (name.to_owned(), owned(value)))
            .collect()
    }

    fn session(
        class: &'static str,
        state: &'static str,
        [active, idle, locked]: [bool; 3],
    ) -> Properties {
        properties([
            ("Class", class.into()),
            ("State", state.into()),
            ("Type", "wayland".into()),
            ("Active", active.into()),
            ("IdleHint", idle.into()),
            ("LockedHint", locked.into()),
        ])
    }

    #[test]
    fn what_a_session_says() {
        let manager = properties([]);
        for (user, class, state, flags, present, connected) in [
            (OURS, "user", "active", [true, false, false], true, true),
            (
                OURS,
                "user-early",
                "active",
                [true, false, false],
                true,
                true,
            ),
            (OURS, "user", "active", [true, true, false], false, true),
            (OURS, "user", "active", [true, false, true], false, true),
            // Behind another one.
            (OURS, "user", "online", [false, false, false], false, true),
            (OURS, "user", "closing", [false, false, false], false, false),
            (OURS, "user", "opening", [false, false, false], false, false),
            // Not a user's own.
            (
                OURS,
                "greeter",
                "active",
                [true, false, false],
                false,
                false,
            ),
            (
                OURS,
                "background",
                "active",
                [true, false, false],
                false,
                false,
            ),
            (
                OURS,
                "manager",
                "active",
                [true, false, false],
                false,
                false,
            ),
            (1001, "user", "active", [true, false, false], false, false),
        ] {
            let sessions = [(user, session(class, state, flags))];
            let said = said(&manager, &sessions, OURS);
            let expected = (present, connected, None, false);
            let found = (
                said.present,
                said.connected,
                said.idle_since,
                said.has_terminal,
            );
            assert_eq!(found, expected, "{user} {class} {state} {flags:?}");
        }
        // Any of them suffices, and what is missing is not so.
        let behind = session("user", "online", [false; 3]);
        let away = properties([("State", "closing".into())]);
        let said = said(&manager, &[(OURS, away), (OURS, behind)], OURS);
        assert_eq!((said.present, said.connected), (false, true));
    }

    #[test]
    fn since_when_nobody_uses_the_computer() {
        let idle_since = |manager: &Properties| said(manager, &[], OURS).idle_since;
        assert_eq!(idle_since(&properties([])), None);
        let manager = properties([("IdleHint", false.into()), ("IdleSinceHint", 7u64.into())]);
        assert_eq!(idle_since(&manager), None);
        let manager = properties([("IdleHint", true.into()), ("IdleSinceHint", 7u64.into())]);
        let seventh = Timestamp::from_microsecond(7).expect("in range");
        assert_eq!(idle_since(&manager), Some(seventh));
        for since in [Variant::from(u64::MAX), Variant::from("never")] {
            let manager = properties([("IdleHint", true.into()), ("IdleSinceHint", since)]);
            assert_eq!(idle_since(&manager), Some(Timestamp::UNIX_EPOCH));
        }
    }

    #[test]
    fn a_terminal_is_known_by_its_type() {
        let manager = properties([]);
        let terminal = |kind: &'static str, class: &'static str| {
            let session = properties([("Type", kind.into()), ("Class", class.into())]);
            said(&manager, &[(1001, session)], OURS).has_terminal
        };
        assert!(terminal("tty", "user"), "of any user");
        assert!(!terminal("wayland", "user"));
        assert!(!terminal("tty", "background"));
    }
}
