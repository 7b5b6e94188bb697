//! `bgtask raise`: raises a custom event.

use bgtask::{
    Code, Error,
    inspect::{Request, Response},
};
use serde_json::json;

use crate::{
    app::{Source, Which, unexpected},
    fire::arguments,
    output::{Done, print, print_json},
};

/// Raises a custom event: every task with `custom("EVENT")` fires
#[derive(Debug, clap::Args)]
pub(crate) struct Raise {
    /// The event's name
    event: String,
    /// What it is raised with, as JSON
    #[arg(long, value_name = "JSON", value_parser = arguments)]
    args: Option<serde_json::Value>,
    #[command(flatten)]
    which: Which,
}

impl Raise {
    pub(crate) async fn run(self) -> Done {
        let mut app = self.which.open().await?;
        let Source::Live(live) = &mut app.source else {
            return Err(Error::new(
                Code::Control,
                format!("no broker of `{}` runs, and nothing was raised", app.id),
            )
            .remedy("start the app")
            .into());
        };
        let request = Request::Raise {
            event: self.event.clone(),
            arguments: self.args,
        };
        let Response::Raised { activations } = live.ask(&request).await? else {
            return Err(unexpected());
        };
        if self.which.json {
            return print_json(
                &json!({ "app": app.id, "event": self.event, "activations": activations }),
            );
        }
        if activations.is_empty() {
            return print(format_args!("{}: no task took it", self.event));
        }
        for activation in activations {
            print(format_args!(
                "{}: activation {activation} is kept",
                self.event
            ))?;
        }
        Ok(())
    }
}
