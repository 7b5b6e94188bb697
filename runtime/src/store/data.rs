//! The small area of keys and values that an app and its tasks share.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::depth;
use crate::{Code, Error};

/// A change of the app's data. Several are made together, or none of them is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub(crate) enum DataChange {
    /// Keeps a value, in place of what the key had.
    Set { key: String, value: Value },
    /// Forgets a key; one that is not there stays so.
    Remove { key: String },
    /// Changes nothing, but says what must be there before: the value, or nothing.
    Compare {
        key: String,
        expected: Option<Value>,
    },
}

/// Which of the app's data.
#[derive(Clone, Debug)]
pub(crate) enum DataQuery {
    Key(String),
    /// All keys that begin so; the empty text begins all.
    Prefix(String),
}

/// Why changes cannot be made.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// What was to be there is not; the key.
    Differs(String),
    /// A value that could not be read back; its key.
    TooDeep(String),
}

impl Refused {
    /// What a run's outcome says.
    pub(super) fn of_run(&self) -> String {
        match self {
            Self::Differs(key) => format!(
                "it completed, but its data was not kept: `{key}` is no longer what it compared \
                 it with"
            ),
            Self::TooDeep(key) => format!(
                "it completed, but its data was not kept: `{key}` is nested deeper than {} levels",
                depth::LEVELS
            ),
        }
    }
}

pub(super) fn too_deep(key: &str) -> Error {
    Error::new(
        Code::BadArguments,
        format!(
            "the value of `{key}` is nested deeper than {} levels",
            depth::LEVELS
        ),
    )
    .remedy("keep a flatter value, or the text of one")
}

/// Whether the changes can be made; `text` reads what is kept for a key. Comparisons are with what
/// was there before any of the changes.
pub(super) fn refusal<E>(
    changes: &[DataChange],
    mut text: impl FnMut(&str) -> Result<Option<String>, E>,
) -> Result<Option<Refused>, E> {
    for change in changes {
        match change {
            DataChange::Set { key, value } if !depth::fits(value) => {
                return Ok(Some(Refused::TooDeep(key.clone())));
            }
            DataChange::Compare { key, expected } => {
                let same = match (text(key)?, expected) {
                    (Some(kept), Some(expected)) => same(&kept, expected),
                    (kept, expected) => kept.is_none() && expected.is_none(),
                };
                if !same {
                    return Ok(Some(Refused::Differs(key.clone())));
                }
            }
            DataChange::Set { .. } | DataChange::Remove { .. } => {}
        }
    }
    Ok(None)
}

/// A fraction may change in its last digit when it is read, so its text counts as well.
fn same(kept: &str, expected: &Value) -> bool {
    let text = expected.to_string();
    kept == text || serde_json::from_str::<Value>(kept).is_ok_and(|kept| kept == *expected)
}
