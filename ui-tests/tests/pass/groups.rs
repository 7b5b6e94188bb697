//! Tasks that state the same of the process they share, or share none.
#![deny(warnings)]
use bgtask::background_task;

#[background_task(trigger = startup, register = false, host = process("one"), memory = "1GiB", env(A = "1", B = "2"))]
pub(super) async fn first() {}

#[background_task(trigger = startup, register = false, host = process("one"), env(B = "2", A = "1"), memory = "1024MiB")]
pub(super) async fn same_in_other_words() {}

#[background_task(trigger = startup, register = false, host = process("two"), memory = "2GiB")]
pub(super) async fn other_group() {}

#[background_task(trigger = startup, register = false, host = process, memory = "3GiB")]
pub(super) async fn no_group() {}

#[background_task(trigger = startup, register = false, host = process)]
pub(super) async fn no_group_either() {}
