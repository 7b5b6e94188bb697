//! Requests that are written down in somebody else's transaction, and relayed to the store after it.
//!
//! [The guide](crate::guide::outbox) tells how it works and what is promised.

mod row;
mod source;
mod sqlite;

pub use row::{INSERT, OutboxRow, TABLE};
pub(crate) use source::Source;
pub use source::{OutboxError, OutboxSource};
pub use sqlite::SqliteOutbox;
