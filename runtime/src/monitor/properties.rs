//! Properties of objects on the system bus.
//!
//! Signals are only bells: each one reads everything again. Cached properties are stale after the
//! provider restarts (<https://github.com/z-galaxy/zbus/issues/1172>), so nothing is cached. No
//! service is started by asking it.

use std::{collections::HashMap, io::ErrorKind, time::Duration};

use futures_util::{
    FutureExt, Stream, StreamExt,
    future::join_all,
    stream::{self, SelectAll},
};
use zbus::{
    MatchRule, MessageStream, Proxy,
    conn::Builder,
    message::Type,
    proxy::{CacheProperties, MethodFlags},
    wire::OwnedVariant,
};

use crate::clock::{Clock, within};

const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// A bus or a provider that does not answer in this time is not there.
const PATIENCE: Duration = Duration::from_secs(2);

/// Waits before the bus is tried again: the first, and the longest.
const RECONNECT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A provider has its name some time before it answers.
const NOT_READY: Duration = Duration::from_millis(100);
const ATTEMPTS: u32 = 5;

/// An object that has properties.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object {
    /// The name of its service.
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    pub(super) interface: &'static str,
}

/// All properties of an interface.
pub(super) type Properties = HashMap<String, OwnedVariant>;

/// Reports the objects' properties, in their order, now and whenever they may have changed. `None`
/// for what is not there. Returns when there is no bus and never will be.
pub(super) async fn follow(
    address: Option<&str>,
    clock: &dyn Clock,
    objects: &[Object],
    mut report: impl FnMut(&[Option<Properties>]),
) {
    let absent: Vec<_> = objects.iter().map(|_| None).collect();
    let mut wait = RECONNECT.0;
    let mut first = true;
    loop {
        match within(clock, PATIENCE, Bus::connect(address, objects)).await {
            Some(Ok(mut bus)) => {
                (wait, first) = (RECONNECT.0, false);
                bus.follow(clock, &mut report).await;
                tracing::warn!("the connection to the system bus is lost");
            }
            Some(Err(error)) if first && is_absent(&error) => {
                tracing::debug!(%error, "no system bus");
                report(&absent);
                return;
            }
            Some(Err(error)) => tracing::debug!(%error, retry = ?wait, "no system bus"),
            None => tracing::debug!(retry = ?wait, "the system bus does not answer"),
        }
        report(&absent);
        clock.awake(wait).await;
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

/// A connection, subscribed before anything is read.
struct Bus {
    objects: Vec<(Object, Proxy<'static>)>,
    bells: SelectAll<Bells>,
}

type Bells = Box<dyn Stream<Item = ()> + Send + Unpin>;

impl Bus {
    async fn connect(address: Option<&str>, objects: &[Object]) -> zbus::Result<Self> {
        let builder = match address {
            Some(address) => Builder::address(address),
            None => Builder::system(),
        };
        let bus = builder.build().await?;
        let mut connected = Vec::with_capacity(objects.len());
        let mut bells = SelectAll::new();
        for object in objects {
            let changed = MatchRule::builder()
                .msg_type(Type::Signal)
                .path(object.path)
                .interface(PROPERTIES)
                .member("PropertiesChanged")
                .build()?;
            let owner = MatchRule::builder()
                .msg_type(Type::Signal)
                .sender("org.freedesktop.DBus")
                .interface("org.freedesktop.DBus")
                .member("NameOwnerChanged")
                .arg(0, object.name)
                .build()?;
            let changed = MessageStream::for_match_rule(changed, &bus, None).await?;
            let owner = MessageStream::for_match_rule(owner, &bus, None).await?;
            let bell: Bells = Box::new(stream::select(changed, owner).map(drop));
            bells.push(bell);
            let proxy = zbus::proxy::Builder::new(&bus)
                .destination(object.name)
                .path(object.path)
                .interface(PROPERTIES)
                .cache_properties(CacheProperties::No)
                .build()
                .await?;
            connected.push((*object, proxy));
        }
        Ok(Self {
            objects: connected,
            bells,
        })
    }

    /// Reports until the connection is lost.
    async fn follow(&mut self, clock: &dyn Clock, report: &mut impl FnMut(&[Option<Properties>])) {
        loop {
            let reads = self.objects.iter();
            let reads = reads.map(|(object, proxy)| read(object, proxy, clock));
            report(&join_all(reads).await);
            if self.bells.next().await.is_none() {
                return;
            }
            // One reading answers all that rang so far.
            while let Some(Some(())) = self.bells.next().now_or_never() {}
        }
    }
}

async fn read(object: &Object, proxy: &Proxy<'_>, clock: &dyn Clock) -> Option<Properties> {
    for attempt in 0..ATTEMPTS {
        let arguments = (object.interface,);
        let call = proxy.call_with_flags::<_, _, Properties>(
            "GetAll",
            MethodFlags::NO_AUTO_START,
            &arguments,
        );
        match within(clock, PATIENCE, call).await {
            Some(Ok(Some(all))) => return Some(all),
            Some(Err(zbus::Error::FDO(error))) if is_not_ready(&error) => {
                clock.awake(NOT_READY * 2u32.pow(attempt)).await;
            }
            Some(Err(error)) => {
                tracing::debug!(%error, name = object.name, "the service is not there");
                return None;
            }
            Some(Ok(None)) | None => return None,
        }
    }
    None
}

/// It owns its name, but its objects are still missing.
fn is_not_ready(error: &zbus::fdo::Error) -> bool {
    use zbus::fdo::Error::{UnknownInterface, UnknownMethod, UnknownObject};
    matches!(
        error,
        UnknownMethod(_) | UnknownObject(_) | UnknownInterface(_)
    )
}
