//! A connection to a service of an app.

use serde::{Serialize, de::DeserializeOwned};

use super::{Client, unexpected};
use crate::{
    Code, Error, Result,
    ipc::control::{self, Request, Response},
};

/// A connection to a task with `app_service` of another program, or of this one; from
/// [`Client::connect_service`]. Dropping it closes it, and the task is told.
///
/// Windows: [`AppServiceConnection`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.appservice.appserviceconnection).
#[derive(Debug)]
pub struct AppService {
    service: String,
    broker: control::Client,
    /// A request was sent, and its answer not taken: another one's would be taken for it.
    is_asked: bool,
}

impl Client {
    /// Connects to a service of the app, which has to run: a task with `app_service("name")` is
    /// started, one run for each connection, and serves it until one of both closes it. A task whose
    /// condition does not hold begins later, and answers then.
    ///
    /// ```no_run
    /// # let _ = async || {
    /// let client = bgtask::Client::new("com.example.text");
    /// let mut upper = client.connect_service("upper").await?;
    /// let answer: String = upper.call("it rains").await?;
    /// assert_eq!(answer, "IT RAINS");
    /// # Ok::<(), bgtask::Error>(())
    /// # };
    /// ```
    ///
    /// Windows: [`AppServiceConnection.OpenAsync`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.appservice.appserviceconnection.openasync).
    ///
    /// # Errors
    ///
    /// [`Code::NotAccepted`]: no task of the app serves that name, or a policy keeps it from running;
    /// [`Code::Ambiguous`]: several do; [`Code::Control`]: no broker of the app runs, or it cannot be
    /// talked to.
    pub async fn connect_service(&self, name: impl Into<String>) -> Result<AppService> {
        let service = name.into();
        let mut broker = self.broker().await?;
        let connect = Request::Connect {
            service: service.clone(),
        };
        match broker.ask(&connect).await? {
            Response::Connected => Ok(AppService {
                service,
                broker,
                is_asked: false,
            }),
            _ => Err(unexpected()),
        }
    }
}

impl AppService {
    /// The service's name.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Sends a request, and waits for its answer; for 30 s at most. After an error other than
    /// [`Code::BadArguments`] and [`Code::BadResult`] it is of no more use, nor is it after this future
    /// was dropped before its end.
    ///
    /// Windows: [`SendMessageAsync`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.appservice.appserviceconnection.sendmessageasync).
    ///
    /// # Errors
    ///
    /// [`Code::BadArguments`]: the message cannot be written as JSON; [`Code::BadResult`]: the task
    /// gave no answer, because it ended maybe, or one of another type; [`Code::RunEnded`]: the task had
    /// ended before;
    /// [`Code::Control`]: the app cannot be talked to.
    pub async fn call<T: DeserializeOwned>(&mut self, message: impl Serialize) -> Result<T> {
        let message = crate::app::to_json(&message)?;
        if std::mem::replace(&mut self.is_asked, true) {
            let rule = "an earlier request was given up, and its answer may still come";
            return Err(Error::new(Code::Control, rule).remedy("connect again"));
        }
        let answer = self.broker.ask(&Request::Call { message }).await?;
        self.is_asked = false;
        match answer {
            Response::Replied { message } => serde_json::from_value(message).map_err(|error| {
                Error::new(Code::BadResult, "the answer is of another type").source(error)
            }),
            Response::Unanswered => {
                let rule = "the task gave no answer to this request";
                Err(Error::new(Code::BadResult, rule))
            }
            Response::ServiceClosed => {
                let rule = format!("the run that served `{}` has ended", self.service);
                Err(Error::new(Code::RunEnded, rule).remedy("connect again"))
            }
            _ => Err(unexpected()),
        }
    }
}
