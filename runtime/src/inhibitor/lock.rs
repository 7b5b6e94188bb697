//! A lock that the app itself asked for, and how it is lost.

use futures_util::StreamExt;
use tokio::time::timeout;
use zbus::{
    Connection, MatchRule, MessageStream, OwnedFd, Proxy,
    conn::Builder,
    message::Type,
    proxy::{CacheProperties, MethodFlags},
};

use super::{LOGIND, MANAGER, MODE, PATH, PATIENCE, WHAT, refused};

/// Why there is no lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoLock {
    /// Nobody is there who could give one.
    Absent(String),
    /// logind gives none.
    Denied(String),
}

/// Keeps the system from going to sleep by itself or when asked, until it is dropped. When it sleeps
/// all the same it waits for what is held, for 5 s as logind is set up.
#[derive(Debug)]
pub(crate) struct Lock {
    bus: Connection,
    sleeps: MessageStream,
    owners: MessageStream,
    /// Against sleep, and for a moment before it.
    _held: (OwnedFd, Option<OwnedFd>),
}

impl Lock {
    /// Takes one of logind on the bus at this address, or the system's. `why` is shown to the user.
    pub(crate) async fn take(address: Option<&str>, who: &str, why: &str) -> Result<Self, NoLock> {
        let taken = timeout(PATIENCE, Self::taken(address, who, why)).await;
        taken.unwrap_or_else(|_| Err(NoLock::Absent("logind does not answer".to_owned())))
    }

    async fn taken(address: Option<&str>, who: &str, why: &str) -> Result<Self, NoLock> {
        let builder = match address {
            Some(address) => Builder::address(address),
            None => Builder::system(),
        };
        let bus = builder.build().await;
        let bus =
            bus.map_err(|error| NoLock::Absent(format!("there is no system bus: {error}")))?;
        // What happens from now on is heard.
        let listen = async |rule: zbus::Result<MatchRule<'static>>| {
            MessageStream::for_match_rule(rule?, &bus, None).await
        };
        let sleeps = listen(prepares()).await.map_err(|error| no(&error))?;
        let owners = listen(owner()).await.map_err(|error| no(&error))?;
        let logind = zbus::proxy::Builder::<Proxy<'_>>::new(&bus)
            .destination(LOGIND)
            .path(PATH)
            .interface(MANAGER)
            .cache_properties(CacheProperties::No)
            .build()
            .await
            .map_err(|error| no(&error))?;
        let lock = async |what, mode| {
            let flags = MethodFlags::NO_AUTO_START;
            let arguments = (what, who, why, mode);
            logind
                .call_with_flags::<_, _, OwnedFd>("Inhibit", flags, &arguments)
                .await
        };
        let held = lock(WHAT, MODE).await.map_err(|error| no(&error))?;
        let held = held.ok_or_else(|| NoLock::Denied("logind gave no lock".to_owned()))?;
        // Without it the system sleeps a moment earlier.
        let moment = lock("sleep", "delay").await.ok().flatten();
        Ok(Self {
            bus,
            sleeps,
            owners,
            _held: (held, moment),
        })
    }

    /// Returns when the system is about to sleep all the same, or logind is gone, and the lock with
    /// it.
    pub(crate) async fn lost(&mut self) {
        loop {
            tokio::select! {
                sleep = self.sleeps.next() => match sleep {
                    Some(Ok(sleep)) => {
                        // It also tells of the end of a sleep.
                        if sleep.body().deserialize::<bool>().unwrap_or(true) {
                            return;
                        }
                    }
                    _ => return,
                },
                _ = self.owners.next() => return,
                () = self.bus.closed() => return,
            }
        }
    }
}

/// The system is about to sleep, or woke up.
fn prepares() -> zbus::Result<MatchRule<'static>> {
    MatchRule::builder()
        .msg_type(Type::Signal)
        .sender(LOGIND)
        .path(PATH)
        .interface(MANAGER)
        .member("PrepareForSleep")
        .build()
}

/// logind ends, or another one takes its place: neither knows of the lock.
fn owner() -> zbus::Result<MatchRule<'static>> {
    MatchRule::builder()
        .msg_type(Type::Signal)
        .sender("org.freedesktop.DBus")
        .interface("org.freedesktop.DBus")
        .member("NameOwnerChanged")
        .arg(0, LOGIND)
        .build()
}

fn no(error: &zbus::Error) -> NoLock {
    use zbus::fdo::Error::{AccessDenied, AuthFailed, InteractiveAuthorizationRequired};
    match error {
        zbus::Error::FDO(known)
            if matches!(
                **known,
                AccessDenied(_) | AuthFailed(_) | InteractiveAuthorizationRequired(_)
            ) =>
        {
            NoLock::Denied(refused(error))
        }
        other => NoLock::Absent(refused(other)),
    }
}
