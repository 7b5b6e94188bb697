//! The app's data, as a run sees it: what is kept, and what the run itself has staged.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{TaskContext, json_length};
use crate::{Code, Error, Result};

/// The longest key, in bytes.
pub(crate) const MOST_KEY: usize = 255;
/// The longest value, in bytes of its JSON text.
pub(crate) const MOST_VALUE: usize = 64 << 10;
/// The most that a run may stage, keys and values together.
const MOST_STAGED: usize = 1 << 20;
/// How deep a value may be nested, so that it can be read back from wherever it goes.
const MOST_DEPTH: usize = 64;

/// Where kept values are read: the store, or the app of a host.
pub(crate) trait DataReader: Send + Sync + 'static {
    fn read(&self, key: String) -> BoxFuture<'static, Result<Option<Value>>>;
}

impl fmt::Debug for dyn DataReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataReader")
    }
}

/// There is no data here.
#[derive(Debug)]
pub(crate) struct NoData;

impl DataReader for NoData {
    fn read(&self, _: String) -> BoxFuture<'static, Result<Option<Value>>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

/// A change that is kept with the run's completion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Staged {
    Set(Value),
    Remove,
}

/// What a run stages, by key.
pub(crate) type Stage = BTreeMap<String, Staged>;

/// A run's share of the data.
pub(crate) struct Data {
    reader: Arc<dyn DataReader>,
    /// `None`: the run is over.
    stage: Mutex<Option<Stage>>,
}

impl Data {
    pub(crate) fn new(reader: Arc<dyn DataReader>) -> Self {
        Self {
            reader,
            stage: Mutex::new(Some(Stage::new())),
        }
    }

    /// Whether anything is staged; if not, nothing can be from now on.
    pub(super) fn is_staged(&self) -> bool {
        let mut stage = self.stage();
        if stage.as_ref().is_some_and(Stage::is_empty) {
            *stage = None;
        }
        stage.is_some()
    }

    /// What is staged; from now on nothing can be.
    pub(super) fn close(&self) -> Stage {
        self.stage().take().unwrap_or_default()
    }

    fn stage(&self) -> MutexGuard<'_, Option<Stage>> {
        // Nothing of others runs under the lock, so a poisoned one is whole.
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, key: &str, change: Staged) -> Result<()> {
        let mut stage = self.stage();
        let stage = stage.as_mut().ok_or_else(|| {
            Error::new(Code::RunEnded, "the run has ended, and stages nothing more")
        })?;
        let others = stage.iter().filter(|(other, _)| *other != key);
        let staged: usize = others.map(|(key, change)| length(key, change)).sum();
        if staged + length(key, &change) > MOST_STAGED {
            return Err(Error::new(
                Code::TooLarge,
                format!("a run may stage {MOST_STAGED} bytes of data, and this is more"),
            )
            .remedy("keep the path of a file, or spread the work over several runs"));
        }
        stage.insert(key.to_owned(), change);
        Ok(())
    }
}

fn length(key: &str, change: &Staged) -> usize {
    key.len()
        + match change {
            Staged::Set(value) => json_length(value),
            Staged::Remove => 0,
        }
}

/// Refuses a key that is empty or too long.
pub(crate) fn check_key(key: &str) -> Result<()> {
    match key.len() {
        1..=MOST_KEY => Ok(()),
        0 => Err(Error::new(Code::BadArguments, "a key is not empty")),
        length => Err(Error::new(
            Code::TooLarge,
            format!("the key is {length} bytes long, and {MOST_KEY} are allowed"),
        )),
    }
}

/// A value as it is kept.
pub(crate) fn to_kept(key: &str, value: &(impl Serialize + ?Sized)) -> Result<Value> {
    check_key(key)?;
    let value = serde_json::to_value(value).map_err(|error| {
        let rule = format!("the value of `{key}` cannot be written as JSON");
        Error::new(Code::BadArguments, rule).source(error)
    })?;
    let length = json_length(&value);
    if length > MOST_VALUE {
        return Err(Error::new(
            Code::TooLarge,
            format!("the value of `{key}` is {length} bytes of JSON, and {MOST_VALUE} are allowed"),
        )
        .remedy("keep the path of a file, or several values"));
    }
    if !fits(&value, MOST_DEPTH) {
        return Err(Error::new(
            Code::BadArguments,
            format!("the value of `{key}` is nested deeper than {MOST_DEPTH} levels"),
        )
        .remedy("keep a flatter value, or the text of one"));
    }
    Ok(value)
}

fn fits(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(items) => depth > 0 && items.iter().all(|item| fits(item, depth - 1)),
        Value::Object(fields) => depth > 0 && fields.values().all(|item| fits(item, depth - 1)),
        _ => true,
    }
}

/// A kept value as the type that is asked for.
pub(crate) fn from_kept<T: DeserializeOwned>(key: &str, value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|error| {
        let rule = format!("what is kept of `{key}` does not fit the type asked for");
        Error::new(Code::BadResult, rule).source(error)
    })
}

/// The app's data in a run; from [`TaskContext::data`].
///
/// What a run changes is *staged*: the run itself sees it at once, everybody else when the run has
/// completed. It is kept in the transaction that records the completion, so a crash leaves both or
/// neither, and a run that fails, panics, is cancelled or killed changes nothing; its next attempt
/// begins without what it staged.
///
/// ```
/// use bgtask::prelude::*;
///
/// #[background_task(trigger = every("1h"), host = process)]
/// async fn sync_mail(task: TaskContext) -> bgtask::Result<u64> {
///     let data = task.data();
///     let from = data.get("mail.cursor").await?.unwrap_or(0_u64);
///     let to = from + 1; // fetches the mail in between
///     data.set("mail.cursor", &to)?; // kept if, and only if, this run completes
///     Ok(to - from)
/// }
/// # fn main() {}
/// ```
///
/// Windows: a background task shares [`ApplicationData.LocalSettings`](https://learn.microsoft.com/uwp/api/windows.storage.applicationdata.localsettings)
/// with its app; what it writes there is written at once.
pub struct TaskData<'t> {
    task: &'t TaskContext,
}

impl fmt::Debug for TaskData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskData")
            .field(&self.task.run_id())
            .finish()
    }
}

impl<'t> TaskData<'t> {
    pub(super) const fn new(task: &'t TaskContext) -> Self {
        Self { task }
    }

    /// The value of a key: what this run staged, or else what is kept at this moment. `None`: it has
    /// none.
    ///
    /// # Errors
    /// [`Code::BadResult`] when it does not fit the type, [`Code::BadArguments`] and
    /// [`Code::TooLarge`] for the key, and what the store says.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        check_key(key)?;
        let data = self.task.own_data();
        let staged = data
            .stage()
            .as_ref()
            .and_then(|stage| stage.get(key).cloned());
        let value = match staged {
            Some(Staged::Set(value)) => Some(value),
            Some(Staged::Remove) => None,
            None => data.reader.read(key.to_owned()).await?,
        };
        value.map(|value| from_kept(key, value)).transpose()
    }

    /// As [`get`](Self::get), for a plain `fn`.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    ///
    /// # Panics
    /// In an `async fn`, and on a thread that the body started itself.
    pub fn get_blocking<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        tokio::runtime::Handle::current().block_on(self.get(key))
    }

    /// Stages a value: at most 64 KiB of JSON under a key of at most 255 bytes, and 1 MiB in a run.
    ///
    /// # Errors
    /// [`Code::TooLarge`]; [`Code::BadArguments`] when it cannot be JSON; [`Code::RunEnded`] when
    /// the body has returned.
    pub fn set<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<()> {
        let value = to_kept(key, value)?;
        self.task.own_data().put(key, Staged::Set(value))
    }

    /// Stages that a key has no value.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn remove(&self, key: &str) -> Result<()> {
        check_key(key)?;
        self.task.own_data().put(key, Staged::Remove)
    }
}
