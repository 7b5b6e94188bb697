//! A connection of another program to a task that serves it.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::{Code, Error, Result, RunId};

/// How many requests of one caller wait for the task: it waits for each answer.
const ROOM: usize = 1;

/// Which connection an activation of `app_service` is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceDetails {
    /// The service, as the trigger names it.
    pub service: String,
    /// The connection, while it lasts.
    pub(crate) connection: RunId,
}

/// The connection that a run of `app_service` serves, one run for each.
///
/// It lasts until the caller closes it, or the run ends. What was connected when the app ended is
/// not connected any more; its run fails, and is recorded.
///
/// ```
/// use bgtask::{ServiceConnection, prelude::*};
///
/// #[background_task(trigger = app_service("upper"))]
/// async fn upper(mut caller: ServiceConnection) -> bgtask::Result<()> {
///     while let Some(request) = caller.next().await {
///         let text: String = request.message()?;
///         request.reply(text.to_uppercase())?;
///     }
///     Ok(()) // the caller has gone
/// }
/// ```
///
/// Windows: [`AppServiceConnection`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.appservice.appserviceconnection)
/// of [`AppServiceTriggerDetails`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.appservice.appservicetriggerdetails).
pub struct ServiceConnection {
    pub(crate) service: String,
    pub(crate) calls: mpsc::Receiver<Call>,
}

impl ServiceConnection {
    /// The service, as the trigger names it.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Waits for the caller's next request; `None` when it has gone.
    pub async fn next(&mut self) -> Option<ServiceRequest> {
        self.calls.recv().await.map(ServiceRequest)
    }

    /// As [`next`](Self::next), in a task that is a plain `fn`.
    ///
    /// # Panics
    ///
    /// In an `async fn`.
    pub fn blocking_next(&mut self) -> Option<ServiceRequest> {
        self.calls.blocking_recv().map(ServiceRequest)
    }
}

impl fmt::Debug for ServiceConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServiceConnection")
            .field(&self.service)
            .finish()
    }
}

/// A request of the caller. One that is dropped is answered with an error.
///
/// Windows: [`AppServiceRequest`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.appservice.appservicerequest).
#[derive(Debug)]
#[must_use = "the caller waits for its answer"]
pub struct ServiceRequest(Call);

impl ServiceRequest {
    /// What the caller sent.
    ///
    /// # Errors
    ///
    /// [`Code::BadArguments`]: it is of another type.
    pub fn message<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.0.message).map_err(|error| {
            let rule = format!("what the caller sent does not fit: {error}");
            Error::new(Code::BadArguments, rule)
        })
    }

    /// Answers the caller; one that has gone is not told.
    ///
    /// # Errors
    ///
    /// [`Code::BadResult`]: it cannot be written as JSON. The caller is told that there is no answer.
    pub fn reply(self, answer: impl Serialize) -> Result<()> {
        let answer = serde_json::to_value(answer).map_err(|error| {
            Error::new(Code::BadResult, "the answer cannot be written as JSON").source(error)
        })?;
        let _ = self.0.reply.send(answer);
        Ok(())
    }
}

/// A request on its way to the task.
#[derive(Debug)]
pub(crate) struct Call {
    message: Value,
    reply: oneshot::Sender<Value>,
}

/// The connections whose run has not begun yet, by the app's own process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServiceLines(Arc<Mutex<HashMap<RunId, mpsc::Receiver<Call>>>>);

/// The caller's end of a connection. Dropping it closes that.
#[derive(Debug)]
pub(crate) struct ServiceLine {
    pub(crate) connection: RunId,
    calls: mpsc::Sender<Call>,
    lines: ServiceLines,
}

/// What became of a request.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Replied(Value),
    /// The task did not answer this one, and may have ended.
    Unanswered,
    /// The run has ended, and did not hear of it.
    Closed,
}

impl ServiceLines {
    /// A new connection.
    pub(crate) fn open(&self) -> ServiceLine {
        let (calls, received) = mpsc::channel(ROOM);
        let connection = RunId::now();
        self.waiting().insert(connection, received);
        ServiceLine {
            connection,
            calls,
            lines: self.clone(),
        }
    }

    /// The task's end of a connection, once.
    pub(crate) fn take(&self, connection: RunId) -> Option<mpsc::Receiver<Call>> {
        self.waiting().remove(&connection)
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<RunId, mpsc::Receiver<Call>>> {
        // No code of others runs under the lock, so it is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServiceLine {
    /// Asks the task, and waits for its answer; for its start, if need be.
    pub(crate) async fn call(&self, message: Value) -> Answer {
        let (reply, answer) = oneshot::channel();
        if self.calls.send(Call { message, reply }).await.is_err() {
            return Answer::Closed;
        }
        match answer.await {
            Ok(answer) => Answer::Replied(answer),
            // Whether the run ends with that is known only a moment later.
            Err(_) => Answer::Unanswered,
        }
    }

    /// Waits until the task's end is gone.
    pub(crate) async fn closed(&self) {
        self.calls.closed().await;
    }
}

impl Drop for ServiceLine {
    fn drop(&mut self) {
        drop(self.lines.take(self.connection));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connected() -> (ServiceLine, ServiceConnection) {
        let lines = ServiceLines::default();
        let line = lines.open();
        let calls = lines.take(line.connection).expect("its end");
        assert!(lines.take(line.connection).is_none(), "once");
        let service = "echo".to_owned();
        (line, ServiceConnection { service, calls })
    }

    #[tokio::test]
    async fn a_request_has_its_answer() {
        let (line, mut connection) = connected();
        let task = tokio::spawn(async move {
            while let Some(request) = connection.next().await {
                match request.message::<u32>() {
                    Ok(0) => drop(request),
                    Ok(number) => request.reply(number * 2).expect("JSON"),
                    Err(error) => {
                        assert_eq!(error.code(), Code::BadArguments);
                        return;
                    }
                }
            }
        });
        assert_eq!(line.call(21.into()).await, Answer::Replied(42.into()));
        assert_eq!(line.call(0.into()).await, Answer::Unanswered);
        assert_eq!(line.call(1.into()).await, Answer::Replied(2.into()));
        assert_eq!(line.call("two".into()).await, Answer::Unanswered);
        line.closed().await;
        assert_eq!(line.call(1.into()).await, Answer::Closed);
        task.await.expect("no panic");
    }

    #[tokio::test]
    async fn who_goes_is_not_waited_for() {
        let (line, mut connection) = connected();
        drop(line);
        assert!(connection.next().await.is_none());
        let lines = ServiceLines::default();
        let line = lines.open();
        let id = line.connection;
        drop(line);
        assert!(lines.take(id).is_none(), "nobody is there any more");
    }
}
