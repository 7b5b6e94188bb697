//! `bgtask pause`, `resume`, `disable`, `enable` and `unregister`: what registrations may do.

use bgtask::{
    Code, Error,
    inspect::{Order, Request, Response},
};
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;

use crate::{
    app::{Source, Which, unexpected},
    output::{Done, print, print_json, standing},
};

/// Which registration
#[derive(Debug, clap::Args)]
pub(crate) struct Registration {
    /// The task's name, or the registration's id, or as much of it as no other has
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    task: String,
    #[command(flatten)]
    which: Which,
}

impl Registration {
    /// Changes what it may do; that lasts until it is changed back.
    pub(crate) async fn order(self, order: Order) -> Done {
        let task = self.task.clone();
        let (app, answer) = self.ask(Request::Stand { task, order }).await?;
        let Response::Stands {
            task,
            registration,
            standing: now,
        } = answer
        else {
            return Err(unexpected());
        };
        if self.which.json {
            return print_json(&json!({
                "app": app, "task": task, "registration": registration, "standing": now,
            }));
        }
        print(format_args!("{task}: {}", standing(&now)))
    }

    async fn ask(&self, request: Request) -> Result<(String, Response), crate::output::Failure> {
        let mut app = self.which.open().await?;
        let Source::Live(live) = &mut app.source else {
            return Err(Error::new(
                Code::Control,
                format!("no broker of `{}` runs, and nothing was changed", app.id),
            )
            .task(&self.task)
            .remedy("start the app")
            .into());
        };
        let answer = live.ask(&request).await?;
        Ok((app.id, answer))
    }
}

/// Removes a registration; what waits for it does not start
#[derive(Debug, clap::Args)]
pub(crate) struct Unregister {
    #[command(flatten)]
    registration: Registration,
    /// Ask what runs to stop
    #[arg(long)]
    cancel: bool,
}

impl Unregister {
    pub(crate) async fn run(self) -> Done {
        let task = self.registration.task.clone();
        let cancel = self.cancel;
        let request = Request::Unregister { task, cancel };
        let (app, answer) = self.registration.ask(request).await?;
        let Response::Unregistered {
            task,
            registration,
            declared,
        } = answer
        else {
            return Err(unexpected());
        };
        if self.registration.which.json {
            return print_json(&json!({
                "app": app, "task": task, "registration": registration, "declared": declared,
            }));
        }
        let until = match declared {
            true => "; it is declared, and the next launch registers it again",
            false => "",
        };
        print(format_args!("{task}: unregistered{until}"))
    }
}
