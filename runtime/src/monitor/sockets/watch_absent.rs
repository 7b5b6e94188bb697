//! Where there is no bell thread, nothing is watched: a trigger that needs it is refused.

use std::{os::fd::OwnedFd, sync::Arc, time::Duration};

use super::Arrival;
use crate::{
    SocketKind, SocketReason,
    clock::{Bell, Clock},
    task::Parcel,
};

pub(super) async fn next(
    _: &Arc<OwnedFd>,
    _: SocketKind,
    _: Option<Duration>,
    bell: &Bell,
    _: &dyn Clock,
) -> SocketReason {
    match *bell {}
}

pub(super) async fn serve(
    _: &Arc<OwnedFd>,
    _: SocketKind,
    bell: &Bell,
    _: &dyn Clock,
    _: impl Fn(Parcel<Arrival>),
) {
    match *bell {}
}

/// Never asked here.
pub(crate) fn is_closed(_: &crate::Socket) -> bool {
    false
}
