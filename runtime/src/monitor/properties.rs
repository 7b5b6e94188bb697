//! Properties of objects on the system bus.

use std::collections::HashMap;

use futures_util::future::join_all;
use zbus::{Connection, MatchRule, message::Type, wire::OwnedVariant};

use super::bus::{self, ATTEMPTS, Asking, PROPERTIES};
use crate::clock::Clock;

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
    report: impl FnMut(&[Option<Properties>]) + Send,
) {
    let mut reading = Reading {
        clock,
        objects,
        report,
    };
    bus::follow(address, clock, &mut reading).await;
}

struct Reading<'a, R> {
    clock: &'a dyn Clock,
    objects: &'a [Object],
    report: R,
}

impl<R: FnMut(&[Option<Properties>]) + Send> Asking for Reading<'_, R> {
    fn bells(&self) -> zbus::Result<Vec<MatchRule<'static>>> {
        let bells: zbus::Result<Vec<_>> = self.objects.iter().map(bells).collect();
        Ok(bells?.concat())
    }

    async fn ask(&mut self, bus: Option<&Connection>) {
        let reads = self.objects.iter();
        let reads = reads.map(|object| read(bus, object, self.clock));
        (self.report)(&join_all(reads).await);
    }
}

/// Signals after which the object's properties may be others.
pub(super) fn bells(object: &Object) -> zbus::Result<Vec<MatchRule<'static>>> {
    let changed = MatchRule::builder()
        .msg_type(Type::Signal)
        .sender(object.name)
        .path(object.path)
        .interface(PROPERTIES)
        .member("PropertiesChanged")
        .build()?;
    Ok(vec![changed, bus::owner_changed(object.name)?])
}

/// The object's properties now; `None` if it is not there.
pub(super) async fn read(
    bus: Option<&Connection>,
    object: &Object,
    clock: &dyn Clock,
) -> Option<Properties> {
    let proxy = bus::proxy(bus?, object.name, object.path, PROPERTIES).await;
    let (proxy, arguments) = (proxy.ok()?, (object.interface,));
    let all = bus::call(&proxy, clock, "GetAll", &arguments, ATTEMPTS);
    all.await.ok()
}
