//! What expansions name. Not public API: it changes without notice.

pub use crate::entry::{Identity, no_setup, run_main};
pub use crate::{
    body::{
        Ask, Body, ConditionEnd, ConditionFuture, ConditionType, Linked, LinkedCondition,
        NamedTask, Requestable, Return, TaskType, ViaResult, ViaValue, condition_future,
        from_closure, from_future,
    },
    extract::{Parameter, Requirements, arguments, kind, require_arguments},
    monitor::ConditionReporter,
    task::TaskContext,
    words,
};
pub use bgtask_model as model;
pub use inventory::submit;

/// How many tasks the linker kept, without a look at them: what their collection alone costs.
#[must_use]
pub fn linked() -> usize {
    inventory::iter::<Linked>().count()
}

/// Joins text pieces at compile time, where `concat!` cannot because one of them is a constant.
#[must_use]
pub const fn joined<const N: usize>(pieces: &[&str]) -> [u8; N] {
    let mut out = [0; N];
    let (mut piece, mut at) = (0, 0);
    while piece < pieces.len() {
        let bytes = pieces[piece].as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            out[at] = bytes[i];
            at += 1;
            i += 1;
        }
        piece += 1;
    }
    out
}

/// The length that [`joined`] needs.
#[must_use]
pub const fn joined_len(pieces: &[&str]) -> usize {
    let (mut piece, mut len) = (0, 0);
    while piece < pieces.len() {
        len += pieces[piece].len();
        piece += 1;
    }
    len
}

/// A number's decimal digits at compile time.
#[derive(Debug)]
pub struct Digits {
    digits: [u8; 10],
    from: usize,
}

impl Digits {
    /// The digits of `number`.
    #[must_use]
    pub const fn of(mut number: u32) -> Self {
        let mut digits = [b'0'; 10];
        let mut from = 10;
        loop {
            from -= 1;
            digits[from] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return Self { digits, from };
            }
        }
    }

    /// The text.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        let (_, tail) = self.digits.split_at(self.from);
        match std::str::from_utf8(tail) {
            Ok(text) => text,
            Err(_) => "",
        }
    }
}
