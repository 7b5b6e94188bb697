//! The system bus.
//!
//! Signals are only bells: each one asks everything again. What a client of the bus caches is stale
//! after the provider restarts (<https://github.com/z-galaxy/zbus/issues/1172>), so nothing is
//! cached. No service is started by asking it.

use std::{io::ErrorKind, time::Duration};

use futures_util::{FutureExt, Stream, StreamExt, stream::SelectAll};
use zbus::{
    Address, Connection, DynamicType, MatchRule, MessageStream, Proxy,
    address::transport::{Transport, UnixSocket},
    conn::Builder,
    message::Type,
    proxy::{CacheProperties, MethodFlags},
    wire::DynamicDeserialize,
};

use crate::clock::{Clock, within};

pub(super) const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// A bus or a provider that does not answer in this time is not there.
const PATIENCE: Duration = Duration::from_secs(2);

/// Waits before the bus is tried again: the first, and the longest.
const RECONNECT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A provider has its name some time before it answers.
const NOT_READY: Duration = Duration::from_millis(100);

/// How often a provider that is not ready is asked.
pub(super) const ATTEMPTS: u32 = 5;

/// Who asks something of a bus, again and again.
pub(super) trait Asking: Send {
    /// Signals after which the answers may be others.
    fn bells(&self) -> zbus::Result<Vec<MatchRule<'static>>>;

    /// Asks; `None`: there is no bus.
    fn ask(&mut self, bus: Option<&Connection>) -> impl Future<Output = ()> + Send;

    /// Waits for a reason to ask again that is none of the bus.
    fn rung(&mut self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}

/// Whether there may be a bus at this address, or at the system's: one whose socket is missing is
/// not looked for again.
pub(super) fn may_be_there(address: Option<&str>) -> bool {
    address
        .map_or_else(Address::system, str::parse)
        .is_ok_and(has_socket)
}

/// As [`may_be_there`], of the bus of the user's session.
pub(super) fn may_be_there_of_session(address: Option<&str>) -> bool {
    address
        .map_or_else(Address::session, str::parse)
        .is_ok_and(has_socket)
}

fn has_socket(address: Address) -> bool {
    match address.transport() {
        Transport::Unix(unix) => match unix.path() {
            UnixSocket::File(path) => path.exists(),
            _ => true,
        },
        _ => true,
    }
}

/// Asks now and whenever the answers may be others. Returns when there is no bus and never will be.
pub(super) async fn follow(address: Option<&str>, clock: &dyn Clock, asking: &mut impl Asking) {
    let mut wait = RECONNECT.0;
    let mut first = true;
    loop {
        match within(clock, PATIENCE, connect(address, asking)).await {
            Some(Ok((bus, bells))) => {
                (wait, first) = (RECONNECT.0, false);
                listen(&bus, bells, asking).await;
                tracing::warn!("the connection to the system bus is lost");
            }
            Some(Err(error)) if first && is_absent(&error) => {
                tracing::debug!(%error, "no system bus");
                asking.ask(None).await;
                return;
            }
            Some(Err(error)) => tracing::debug!(%error, retry = ?wait, "no system bus"),
            None => tracing::debug!(retry = ?wait, "the system bus does not answer"),
        }
        let mut again = clock.awake(wait);
        loop {
            asking.ask(None).await;
            tokio::select! {
                () = &mut again => break,
                () = asking.rung() => {}
            }
        }
        wait = (wait * 2).min(RECONNECT.1);
    }
}

/// Whether there is no socket, or none for us, so that nobody will ever answer.
fn is_absent(error: &zbus::Error) -> bool {
    match error {
        zbus::Error::Connection(error, _) => matches!(
            error.kind(),
            ErrorKind::NotFound | ErrorKind::PermissionDenied
        ),
        zbus::Error::Address(_) => true,
        _ => false,
    }
}

type Bells = SelectAll<Box<dyn Stream<Item = ()> + Send + Unpin>>;

/// A connection, subscribed before anything is asked.
async fn connect(address: Option<&str>, asking: &impl Asking) -> zbus::Result<(Connection, Bells)> {
    let builder = match address {
        Some(address) => Builder::address(address),
        None => Builder::system(),
    };
    let bus = builder.build().await?;
    let mut bells = Bells::new();
    for rule in asking.bells()? {
        let rings = MessageStream::for_match_rule(rule, &bus, None).await?;
        bells.push(Box::new(rings.map(drop)));
    }
    Ok((bus, bells))
}

/// Asks until the connection is lost.
async fn listen(bus: &Connection, mut bells: Bells, asking: &mut impl Asking) {
    loop {
        asking.ask(Some(bus)).await;
        tokio::select! {
            rang = bells.next() => if rang.is_none() { return },
            () = asking.rung() => {}
        }
        // One answer is for all that rang so far.
        while let Some(Some(())) = bells.next().now_or_never() {}
    }
}

/// The bell for a name on the bus that gets another owner, or loses its own.
pub(super) fn owner_changed(name: &'static str) -> zbus::Result<MatchRule<'static>> {
    MatchRule::builder()
        .msg_type(Type::Signal)
        .sender("org.freedesktop.DBus")
        .interface("org.freedesktop.DBus")
        .member("NameOwnerChanged")
        .arg(0, name)
        .build()
}

/// An object's interface, to be called.
pub(super) async fn proxy(
    bus: &Connection,
    name: &'static str,
    path: &str,
    interface: &'static str,
) -> zbus::Result<Proxy<'static>> {
    zbus::proxy::Builder::new(bus)
        .destination(name)
        .path(path.to_owned())
        .interface(interface)
        .cache_properties(CacheProperties::No)
        .build()
        .await
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// There is nobody, or it does not have what was asked for.
    Refused,
    /// It is there, and says nothing.
    Silent,
}

/// The answer to a call, which is made so often while the provider is not ready.
pub(super) async fn call<R>(
    proxy: &Proxy<'_>,
    clock: &dyn Clock,
    method: &'static str,
    arguments: &(impl serde::Serialize + DynamicType + Sync),
    attempts: u32,
) -> Result<R, Unanswered>
where
    R: for<'d> DynamicDeserialize<'d> + Send,
{
    for attempt in 0..attempts {
        let flags = MethodFlags::NO_AUTO_START;
        let call = proxy.call_with_flags::<_, _, R>(method, flags, arguments);
        match within(clock, PATIENCE, call).await {
            Some(Ok(Some(answer))) => return Ok(answer),
            Some(Err(zbus::Error::FDO(error))) if is_not_ready(&error) => {
                if attempt + 1 < attempts {
                    clock.awake(NOT_READY * 2u32.pow(attempt)).await;
                }
            }
            Some(Err(error)) => {
                let name = proxy.destination();
                tracing::debug!(%error, %name, "the service is not there");
                return Err(Unanswered::Refused);
            }
            Some(Ok(None)) => return Err(Unanswered::Refused),
            None => return Err(Unanswered::Silent),
        }
    }
    Err(Unanswered::Refused)
}

/// It owns its name, but its objects are still missing.
fn is_not_ready(error: &zbus::fdo::Error) -> bool {
    use zbus::fdo::Error::{UnknownInterface, UnknownMethod, UnknownObject};
    matches!(
        error,
        UnknownMethod(_) | UnknownObject(_) | UnknownInterface(_)
    )
}
