//! Attributes around ours.
use bgtask::{background_task, background_task as scheduled};

#[cfg_attr(all(), background_task(trigger = every("10s")))]
async fn conditional() {}

#[background_task(trigger = startup)]
#[allow(clippy::needless_return)]
#[must_use]
async fn marked() -> u8 {
    return 1;
}

/// First line with "quotes" and a \ backslash.
///
/// Second paragraph.
#[background_task(trigger = application, host = process("media"), timeout = "10m", memory = "512MiB",)]
async fn documented() {}

#[scheduled(trigger = startup)]
#[inline(never)]
async fn under_another_name() {}
