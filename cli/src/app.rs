//! Which app is meant, and how it is reached.

use std::future::Future;

use bgtask::{
    Code, Error, Result,
    inspect::{self, Live, Offline},
};

use crate::output::{Done, Failure, tell};

/// What all commands about an app take.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// The app's id; not needed while there is only one app
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// An app as it was found.
pub(crate) struct App {
    pub(crate) id: String,
    pub(crate) source: Source,
}

/// What answers for an app.
pub(crate) enum Source {
    /// Its running broker.
    Live(Box<Live>),
    /// The store it left.
    Offline(Offline),
}

impl Which {
    /// Finds the app's broker or its store.
    pub(crate) async fn open(&self) -> Result<App> {
        let id = choose(self.app.clone(), inspect::apps)?;
        if let Some(live) = inspect::connect(&id).await? {
            let source = Source::Live(Box::new(live));
            return Ok(App { id, source });
        }
        match Offline::open(&id)? {
            Some(store) => Ok(App {
                id,
                source: Source::Offline(store),
            }),
            None => Err(unknown(&id)),
        }
    }

    /// Opens the app's store, whether it runs or not.
    pub(crate) fn store(&self) -> Result<(String, Offline)> {
        let id = choose(self.app.clone(), inspect::apps)?;
        match Offline::open(&id)? {
            Some(store) => Ok((id, store)),
            None => Err(unknown(&id)),
        }
    }
}

impl App {
    /// Says that what follows is what a store holds, not what a broker knows.
    pub(crate) fn tell_if_offline(&self) {
        if matches!(self.source, Source::Offline(_)) {
            tell(format_args!(
                "note: no broker of `{}` runs; this is what its store holds",
                self.id
            ));
        }
    }

    /// For JSON: the broker's process, or null.
    pub(crate) fn broker(&self) -> serde_json::Value {
        match &self.source {
            Source::Live(live) => serde_json::json!(live.hello()),
            Source::Offline(_) => serde_json::Value::Null,
        }
    }
}

fn unknown(id: &str) -> Error {
    Error::new(
        Code::Control,
        format!("no app `{id}` runs, and none has left a store"),
    )
    .remedy("start the app; BGTASK_STATE_DIR, XDG_STATE_HOME and HOME say where stores are")
}

fn choose(stated: Option<String>, apps: impl FnOnce() -> Result<Vec<String>>) -> Result<String> {
    if let Some(id) = stated {
        return Ok(id);
    }
    let mut apps = apps()?;
    match (apps.pop(), apps.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(
            Error::new(Code::Control, "no app runs, and none has left a store").remedy(
                "start the app; BGTASK_STATE_DIR, XDG_STATE_HOME and HOME say where stores are",
            ),
        ),
        (Some(last), false) => {
            apps.push(last);
            Err(Error::new(
                Code::Control,
                "there are several apps; it is not clear which is meant",
            )
            .remedy(format!("add `--app` with one of: {}", apps.join(", "))))
        }
    }
}

/// The broker answered something else than what was asked for.
pub(crate) fn unexpected() -> Failure {
    Error::new(
        Code::Control,
        "the running broker gave another kind of answer",
    )
    .remedy("use the `bgtask` command of the app's version of bgtask")
    .into()
}

/// Runs a command that waits for a socket.
pub(crate) fn block_on(command: impl Future<Output = Done>) -> Done {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(Code::Control, "the command cannot start").source(error))?;
    runtime.block_on(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_app_is_meant_unless_one_is_stated() {
        let apps = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            move || Ok(names)
        };
        assert_eq!(choose(None, apps(&["mail"])).unwrap(), "mail");
        assert_eq!(choose(Some("x".to_owned()), apps(&["mail"])).unwrap(), "x");
        let error = choose(None, apps(&[])).unwrap_err();
        assert!(error.rule().contains("none has left a store"), "{error}");
        let error = choose(None, apps(&["a", "b", "c"])).unwrap_err();
        assert_eq!(error.help(), Some("add `--app` with one of: a, b, c"));
    }
}
