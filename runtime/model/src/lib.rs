//! The words, grammar and rules of bgtask.
//!
//! Both halves of bgtask use this crate: the attribute at compile time and the runtime when it
//! reads a manifest, an override file or a command line. It is pure: it has no clock, does no
//! I/O and knows no tokens of the compiler. Programs use it through `bgtask`, which re-exports
//! what they need.
//!
//! | to | use |
//! |---|---|
//! | read an attribute | [`grammar::Draft`], one [`grammar::Token`] per token of the compiler |
//! | read a manifest or an override | [`Declaration::from_fields`] |
//! | write a manifest | [`Declaration::fields`] |
//! | read or write one value | `FromStr` and `Display` of [`Trigger`], [`Condition`], [`Host`] and the options |
//! | check a declaration made by hand | [`Declaration::check`] |
//! | offer the word that was meant | [`nearest`] |
//! | check a constant at compile time | [`rule`], `const fn` each |
//! | see that a declaration changed | [`Declaration::fingerprint_text`] |
//! | judge a gate | [`Condition::evaluate`], [`Condition::predicates`], [`Predicate::base`] |
#![forbid(unsafe_code)]

mod condition;
mod cron;
mod declaration;
pub mod grammar;
mod options;
pub mod rule;
mod system;
mod text;
mod trigger;
mod word;
mod zone;

pub use condition::{Condition, Predicate, Truth};
pub use declaration::{Declaration, Host};
pub use grammar::{FieldValue, Mistake};
pub use options::{
    Backoff, Delivery, Missed, OnOverrun, Options, Overlap, Pending, ProcessSettings, Retry,
    Sandbox,
};
pub use rule::{HoleRule, Rule, StaticRule};
pub use system::SystemEvent;
pub use text::ParseError;
pub use trigger::{DeviceChange, TimeOfDay, Trigger};
pub use word::nearest;
