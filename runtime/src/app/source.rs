//! Sources of notifications and events that an app brings along.

use std::{error::Error as StdError, fmt, sync::Arc};

use serde::Serialize;
use tokio::sync::oneshot;

use super::{App, AppBuilder, to_json};
use crate::{
    ActivationId, Error, RawNotification, Result,
    broker::{Command, Feed, Sink},
};

/// What a source says when it cannot go on: anything.
pub type SourceError = Box<dyn StdError + Send + Sync>;

/// Where raw notifications come from, for [`AppBuilder::push_source`]: a broker of messages, a
/// stream of a server, a socket.
///
/// A function is one: `async |sink: PushSink| { … }` that returns a `Result`. It runs on the app's
/// runtime for as long as it has something to say. When it fails or panics it is started again after
/// 0.1 s, and after twice that each further time, up to a minute.
///
/// ```standalone_crate
/// use bgtask::{PushSink, RawNotification, RawSource, SourceError, prelude::*};
/// use tokio::{io::{AsyncBufReadExt, BufReader}, net::TcpStream};
///
/// #[background_task(trigger = push("news"))]
/// async fn show(news: RawNotification) {
///     println!("{:?}", news.content());
/// }
///
/// /// A server that sends a line for each piece of news.
/// struct Wire(String);
///
/// impl RawSource for Wire {
///     async fn receive(&self, sink: PushSink) -> Result<(), SourceError> {
///         let mut lines = BufReader::new(TcpStream::connect(&self.0).await?).lines();
///         while let Some(line) = lines.next_line().await? {
///             // It is kept when this returns.
///             sink.push(RawNotification::new(line).on("news")).await?;
///         }
///         Err("the server has hung up".into())
///     }
/// }
///
/// fn setup(app: AppBuilder) -> Result<AppBuilder, std::convert::Infallible> {
///     Ok(app.push_source("wire", Wire("news.example.com:7000".to_owned())))
/// }
/// # fn main() { let _ = setup(AppBuilder::new("demo")); }
/// ```
///
/// Windows: [`PushNotificationChannel`](https://learn.microsoft.com/uwp/api/windows.networking.pushnotifications.pushnotificationchannel),
/// whose source is Microsoft's own service.
pub trait RawSource: Send + Sync + 'static {
    /// Pushes what comes, until nothing comes any more. Called again after an error.
    fn receive(&self, sink: PushSink) -> impl Future<Output = Result<(), SourceError>> + Send;
}

/// Where the events of a `custom("name")` come from, for [`AppBuilder::event_source`].
///
/// A function is one: `async |sink: EventSink| { … }` that returns a `Result`. It is kept running as
/// a [`RawSource`] is.
///
/// Windows: [`CustomSystemEventTrigger`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.customsystemeventtrigger),
/// whose source is a driver.
pub trait EventSource: Send + Sync + 'static {
    /// Raises what happens, until nothing happens any more. Called again after an error.
    fn watch(&self, sink: EventSink) -> impl Future<Output = Result<(), SourceError>> + Send;
}

impl<S, Fut, E> RawSource for S
where
    S: Fn(PushSink) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<SourceError> + Send,
{
    async fn receive(&self, sink: PushSink) -> Result<(), SourceError> {
        self(sink).await.map_err(Into::into)
    }
}

impl<S, Fut, E> EventSource for S
where
    S: Fn(EventSink) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<SourceError> + Send,
{
    async fn watch(&self, sink: EventSink) -> Result<(), SourceError> {
        self(sink).await.map_err(Into::into)
    }
}

/// Where a [`RawSource`] pushes to. Cheap to clone; it does not keep the app open.
#[derive(Clone)]
pub struct PushSink {
    sink: Sink,
}

impl PushSink {
    /// As [`App::push`].
    ///
    /// # Errors
    /// Those of [`App::push`].
    pub async fn push(&self, notification: RawNotification) -> Result<Vec<ActivationId>> {
        ask(&self.sink, |reply| Command::Push {
            notification,
            reply,
        })
        .await
    }
}

impl fmt::Debug for PushSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PushSink")
    }
}

/// Where an [`EventSource`] raises its event. Cheap to clone; it does not keep the app open.
#[derive(Clone)]
pub struct EventSink {
    event: Arc<str>,
    sink: Sink,
}

impl EventSink {
    /// As [`App::raise`], with the name that [`AppBuilder::event_source`] was given.
    ///
    /// # Errors
    /// Those of [`App::raise`].
    pub async fn raise(&self, arguments: impl Serialize) -> Result<Vec<ActivationId>> {
        let arguments = to_json(&arguments)?;
        let event = self.event.to_string();
        ask(&self.sink, |reply| Command::Raise {
            event,
            arguments,
            reply,
        })
        .await
    }
}

impl fmt::Debug for EventSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventSink").field(&self.event).finish()
    }
}

async fn ask<T>(
    sink: &Sink,
    command: impl FnOnce(oneshot::Sender<Result<T>>) -> Command,
) -> Result<T> {
    let (reply, answer) = oneshot::channel();
    let commands = sink.upgrade().ok_or_else(Error::closing)?;
    let asked = commands.send(command(reply));
    drop(commands);
    asked.map_err(|_| Error::closing())?;
    answer.await.map_err(|_| Error::closing())?
}

impl App {
    /// Pushes a raw notification to every task with `push`, or `push("channel")`, of its channel, as
    /// `bgtask push` does from outside. Returns the activations, persisted; each notification is
    /// one for each task. While the queue of one of them is full, none of them gets it.
    ///
    /// # Errors
    /// [`Code::NotAccepted`](crate::Code::NotAccepted) when no task takes it;
    /// [`Code::QueueFull`](crate::Code::QueueFull) when so many wait that it is not kept, 10,000 for
    /// a task unless its `pending` says otherwise, and 64 MiB for all; [`Code::TooLarge`](crate::Code::TooLarge), see
    /// [`AppBuilder::max_push`]; [`Code::Closing`](crate::Code::Closing), or what the store says.
    pub async fn push(&self, notification: RawNotification) -> Result<Vec<ActivationId>> {
        self.ask(|reply| Command::Push {
            notification,
            reply,
        })
        .await?
    }
}

impl AppBuilder {
    /// The longest content of a raw notification, in bytes. Default: 5 KiB, as
    /// [on Windows](https://learn.microsoft.com/windows/apps/develop/notifications/push-notifications/raw-notification-overview);
    /// the most is 256 KiB, and the app does not start with more
    /// ([`Code::TooLarge`](crate::Code::TooLarge)). The channel and the headers have 4 KiB together.
    #[must_use]
    pub fn max_push(mut self, bytes: usize) -> Self {
        self.max_push = bytes;
        self
    }

    /// Takes raw notifications from a source of your own, beside what `bgtask push` sends. The name
    /// is for the log. See [`RawSource`].
    #[must_use]
    pub fn push_source(mut self, name: impl Into<String>, source: impl RawSource) -> Self {
        let source = Arc::new(source);
        self.feeds.push(Feed {
            name: name.into(),
            run: Box::new(move |sink| {
                let source = Arc::clone(&source);
                Box::pin(async move {
                    let sink = PushSink { sink };
                    source.receive(sink).await.map_err(told)
                })
            }),
        });
        self
    }

    /// Raises the custom event `name` whenever a source of your own says so. See [`EventSource`].
    ///
    /// ```
    /// use bgtask::{EventSink, prelude::*};
    ///
    /// #[background_task(trigger = custom("hour"))]
    /// async fn strike(Args(hour): Args<u8>) {
    ///     println!("{hour}");
    /// }
    ///
    /// fn setup(app: AppBuilder) -> Result<AppBuilder, std::convert::Infallible> {
    ///     Ok(app.event_source("hour", async |sink: EventSink| -> bgtask::Result<()> {
    ///         for hour in 1..=12_u8 {
    ///             tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
    ///             sink.raise(hour).await?;
    ///         }
    ///         Ok(())
    ///     }))
    /// }
    /// # let _ = setup(AppBuilder::new("demo"));
    /// ```
    #[must_use]
    pub fn event_source(mut self, name: impl Into<String>, source: impl EventSource) -> Self {
        let (event, source) = (Arc::<str>::from(name.into()), Arc::new(source));
        self.feeds.push(Feed {
            name: event.to_string(),
            run: Box::new(move |sink| {
                let (event, source) = (Arc::clone(&event), Arc::clone(&source));
                Box::pin(async move {
                    let sink = EventSink { event, sink };
                    source.watch(sink).await.map_err(told)
                })
            }),
        });
        self
    }
}

fn told(error: SourceError) -> String {
    error.to_string()
}
