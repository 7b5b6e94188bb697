//! What is kept can be read back: values nested deeper than the JSON reader goes are not taken.

use std::borrow::Cow;

use serde_json::Value;

use super::NewActivation;
use crate::{Code, Error, Outcome, Result};

/// The reader stops at 128 levels, some of which are ours.
/// <https://docs.rs/serde_json/latest/serde_json/struct.Deserializer.html#method.disable_recursion_limit>
pub(super) const LEVELS: usize = 100;

/// Refuses arguments that could not be read back.
pub(super) fn check(activations: &[NewActivation]) -> Result<()> {
    activations
        .iter()
        .try_for_each(|new| check_depth(&new.task, new.details.arguments.as_ref()))
}

/// Refuses arguments of a task that could not be read back.
pub(crate) fn check_depth(task: &str, arguments: Option<&Value>) -> Result<()> {
    if arguments.is_none_or(fits) {
        return Ok(());
    }
    Err(Error::new(
        Code::BadArguments,
        format!("the arguments are nested deeper than {LEVELS} levels"),
    )
    .task(task)
    .remedy("pass a flatter value, or the text of one"))
}

/// The outcome as it can be kept: a run must end, even with a result that could not be read back.
pub(super) fn keepable(outcome: &Outcome) -> Cow<'_, Outcome> {
    match outcome {
        Outcome::Completed { value } if !fits(value) => Cow::Owned(Outcome::Failed {
            error: format!(
                "it completed, but its result is nested deeper than {LEVELS} levels and was not \
                 kept"
            ),
        }),
        kept => Cow::Borrowed(kept),
    }
}

/// Whether a value can be read back.
pub(super) fn fits(value: &Value) -> bool {
    fits_in(value, LEVELS)
}

fn fits_in(value: &Value, levels: usize) -> bool {
    match (value, levels) {
        (Value::Array(_) | Value::Object(_), 0) => false,
        (Value::Array(items), _) => items.iter().all(|item| fits_in(item, levels - 1)),
        (Value::Object(fields), _) => fields.values().all(|field| fits_in(field, levels - 1)),
        _ => true,
    }
}
