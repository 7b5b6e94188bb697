//! `bgtask cancel`: asks a run to stop.

use bgtask::{
    CancelReason, Code, Error,
    inspect::{Request, Response},
};
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use serde_json::json;

use crate::{
    app::{Source, Which, unexpected},
    output::{Done, print, print_json},
};

/// Asks a run to stop, or a waiting activation not to start
#[derive(Debug, clap::Args)]
pub(crate) struct Cancel {
    /// The id of the run or of its activation, or as much of it as no other has
    #[arg(value_name = "RUN", value_parser = NonEmptyStringValueParser::new())]
    id: String,
    /// What the task is told
    #[arg(long, value_name = "WORD", default_value = CancelReason::Abort.word(), value_parser = reason())]
    reason: CancelReason,
    #[command(flatten)]
    which: Which,
}

fn reason() -> impl TypedValueParser<Value = CancelReason> {
    PossibleValuesParser::new(CancelReason::ALL.map(CancelReason::word))
        .try_map(|word| word.parse::<CancelReason>())
}

impl Cancel {
    pub(crate) async fn run(self) -> Done {
        let mut app = self.which.open().await?;
        let Source::Live(live) = &mut app.source else {
            return Err(Error::new(
                Code::Control,
                format!("no broker of `{}` runs, and so no task", app.id),
            )
            .remedy("start the app; what waits can be cancelled then")
            .into());
        };
        let request = Request::Cancel {
            id: self.id,
            reason: self.reason,
        };
        let answer = live.ask(&request).await?;
        let Response::Cancelled {
            task,
            activation,
            run,
            reason,
            grace,
        } = answer
        else {
            return Err(unexpected());
        };
        if self.which.json {
            return print_json(&json!({
                "app": app.id, "task": task, "activation": activation, "run": run,
                "reason": reason, "grace_seconds": grace.as_secs_f64(),
            }));
        }
        match run {
            Some(run) if reason == self.reason => print(format_args!(
                "{task}: run {run} is asked to stop and has {grace:?} ({reason})"
            )),
            Some(run) => print(format_args!(
                "{task}: run {run} was asked to stop before ({reason})"
            )),
            None => print(format_args!(
                "{task}: activation {activation} will not start ({reason})"
            )),
        }
    }
}
