//! `bgtask fire`: fires a task's trigger by hand.

use bgtask::{
    Code, Error,
    inspect::{Request, Response},
};
use serde_json::json;

use crate::{
    app::{Source, Which, unexpected},
    output::{Done, print, print_json},
};

/// Fires a task's trigger by hand; its conditions and limits apply
#[derive(Debug, clap::Args)]
pub(crate) struct Fire {
    /// The task's name
    name: String,
    /// The task's arguments, as JSON
    #[arg(long, value_name = "JSON", value_parser = arguments)]
    args: Option<serde_json::Value>,
    #[command(flatten)]
    which: Which,
}

pub(crate) fn arguments(text: &str) -> Result<serde_json::Value, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))
}

impl Fire {
    pub(crate) async fn run(self) -> Done {
        let mut app = self.which.open().await?;
        let Source::Live(live) = &mut app.source else {
            return Err(Error::new(
                Code::Control,
                format!("no broker of `{}` runs, and nothing was fired", app.id),
            )
            .task(self.name)
            .remedy("start the app")
            .into());
        };
        let request = Request::Fire {
            task: self.name.clone(),
            arguments: self.args,
        };
        let Response::Fired { activation } = live.ask(&request).await? else {
            return Err(unexpected());
        };
        if self.which.json {
            return print_json(
                &json!({ "app": app.id, "task": self.name, "activation": activation }),
            );
        }
        print(format_args!(
            "{}: activation {activation} is kept",
            self.name
        ))
    }
}
