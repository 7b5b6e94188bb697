//! `bgtask push`: pushes a raw notification.

use std::io::Read;

use bgtask::{
    Code, Error, RawNotification,
    inspect::{Request, Response},
};
use serde_json::json;

use crate::{
    app::{Source, Which, unexpected},
    output::{Done, print, print_json},
};

/// More than any app allows: what is longer is refused by the app, and not read to its end.
const LONGEST: u64 = 1 << 20;

/// Pushes a raw notification to the tasks that take those of a channel
///
/// The content is what standard input holds. The notification is kept when this ends with exit code
/// 0; a flood is refused (`queue-full`).
#[derive(Debug, clap::Args)]
pub(crate) struct Push {
    /// The channel; without it, the app's default channel
    channel: Option<String>,
    /// A header, KEY=VALUE; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = header)]
    header: Vec<(String, String)>,
    /// The content, instead of standard input
    #[arg(long, value_name = "TEXT")]
    content: Option<String>,
    #[command(flatten)]
    which: Which,
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a header is KEY=VALUE".to_owned()),
    }
}

impl Push {
    pub(crate) async fn run(self) -> Done {
        let mut app = self.which.open().await?;
        let Source::Live(live) = &mut app.source else {
            return Err(Error::new(
                Code::Control,
                format!("no broker of `{}` runs, and nothing was pushed", app.id),
            )
            .remedy("start the app")
            .into());
        };
        let content = match self.content {
            Some(text) => text.into_bytes(),
            None => standard_input()?,
        };
        let notification = RawNotification {
            channel: self.channel,
            headers: self.header.into_iter().collect(),
            bytes: content,
            ..RawNotification::default()
        };
        let request = Request::Push { notification };
        let Response::Raised { activations } = live.ask(&request).await? else {
            return Err(unexpected());
        };
        if self.which.json {
            return print_json(&json!({ "app": app.id, "activations": activations }));
        }
        for activation in activations {
            print(format_args!("activation {activation} is kept"))?;
        }
        Ok(())
    }
}

fn standard_input() -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    let read = std::io::stdin().take(LONGEST).read_to_end(&mut content);
    match read {
        Ok(_) => Ok(content),
        Err(error) => Err(Error::new(Code::Control, "standard input cannot be read").source(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_a_name_and_a_value() {
        let named = |name: &str, value: &str| Ok((name.to_owned(), value.to_owned()));
        assert_eq!(header("kind=news"), named("kind", "news"));
        assert_eq!(header("kind=a=b"), named("kind", "a=b"));
        assert_eq!(header("kind="), named("kind", ""));
        assert!(header("kind").is_err() && header("=news").is_err());
    }
}
