//! A small area of keys and values that the app and its tasks share.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::App;
use crate::{
    Result,
    store::{DataChange, DataQuery},
    task::{check_key, from_kept, to_kept},
};

impl App {
    /// The app's data: see [`AppData`].
    #[must_use]
    pub fn data(&self) -> AppData {
        AppData { app: self.clone() }
    }
}

/// Keys and values that the app and its tasks share, kept in the app's store; from [`App::data`].
/// For settings and cursors: a key has at most 255 bytes, a value at most 64 KiB of JSON. What is
/// larger belongs in a file or a database, and its path here.
///
/// A change is on the disk when the method returns. A task reads and changes the data through
/// [`TaskContext::data`](crate::TaskContext::data), where changes are kept with the run's completion.
///
/// ```standalone_crate
/// use bgtask::AppBuilder;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// # let directory = tempfile::tempdir()?;
/// # let builder = AppBuilder::new("demo").state_dir(directory.path().join("state")).runtime_dir(directory.path().join("run"));
/// let app = builder.start().await?;
/// let data = app.data();
/// data.set("mail.folder", "inbox").await?;
/// assert_eq!(data.get::<String>("mail.folder").await?.as_deref(), Some("inbox"));
///
/// // Only if nobody was faster.
/// let first = data.compare_and_set("mail.cursor", None, Some(&1_u64)).await?;
/// let again = data.compare_and_set("mail.cursor", None, Some(&1_u64)).await?;
/// assert_eq!((first, again), (true, false));
/// assert_eq!(data.keys("mail.").await?, ["mail.cursor", "mail.folder"]);
/// # app.shutdown().await;
/// # Ok(())
/// # })
/// # }
/// ```
///
/// Windows: [`ApplicationData.LocalSettings`](https://learn.microsoft.com/uwp/api/windows.storage.applicationdata.localsettings).
#[derive(Clone, Debug)]
pub struct AppData {
    app: App,
}

impl AppData {
    /// The value of a key; `None`: it has none.
    ///
    /// # Errors
    /// [`Code::BadResult`](crate::Code::BadResult) when it does not fit the type,
    /// [`Code::BadArguments`](crate::Code::BadArguments) and
    /// [`Code::TooLarge`](crate::Code::TooLarge) for the key, and what the store says.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        check_key(key)?;
        let query = DataQuery::Key(key.to_owned());
        let found = self.app.inner.store.data(query).await?;
        let value = found.into_iter().next().map(|(_, value)| value);
        value.map(|value| from_kept(key, value)).transpose()
    }

    /// Keeps a value, in place of what the key had.
    ///
    /// # Errors
    /// [`Code::TooLarge`](crate::Code::TooLarge);
    /// [`Code::BadArguments`](crate::Code::BadArguments) when it cannot be JSON or the key is empty;
    /// and what the store says.
    pub async fn set<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<()> {
        let change = DataChange::Set {
            key: key.to_owned(),
            value: to_kept(key, value)?,
        };
        self.change(vec![change]).await.map(drop)
    }

    /// Forgets a key; one that has no value stays so.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub async fn remove(&self, key: &str) -> Result<()> {
        check_key(key)?;
        let key = key.to_owned();
        self.change(vec![DataChange::Remove { key }])
            .await
            .map(drop)
    }

    /// Gives a key a new value if it has the expected one; `None` stands for no value. `false`: it
    /// has another one, and nothing happened. No other change comes in between.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub async fn compare_and_set<T: Serialize>(
        &self,
        key: &str,
        expected: Option<&T>,
        new: Option<&T>,
    ) -> Result<bool> {
        let kept = |value: Option<&T>| value.map(|value| to_kept(key, value)).transpose();
        let (expected, new): (Option<Value>, Option<Value>) = (kept(expected)?, kept(new)?);
        check_key(key)?;
        let key = key.to_owned();
        let compare = DataChange::Compare {
            key: key.clone(),
            expected,
        };
        let change = match new {
            Some(value) => DataChange::Set { key, value },
            None => DataChange::Remove { key },
        };
        self.change(vec![compare, change]).await
    }

    /// The keys that begin so, sorted; all of them for the empty text.
    ///
    /// # Errors
    /// What the store says.
    pub async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let query = DataQuery::Prefix(prefix.to_owned());
        let found = self.app.inner.store.data(query).await?;
        Ok(found.into_iter().map(|(key, _)| key).collect())
    }

    async fn change(&self, changes: Vec<DataChange>) -> Result<bool> {
        self.app.inner.store.change_data(changes).await
    }
}
