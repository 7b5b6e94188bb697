use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::{io::AsyncWriteExt, net::UnixStream, task::JoinHandle};

use super::{message::Reply, *};
use crate::{
    ActivationId, Code, Error, Result, ServiceConnection, ipc::frame::Frames, task::ServiceLines,
};

/// Answers as a broker of one task would.
struct Broker {
    protocol: u32,
    fired: AtomicUsize,
    /// How many wait for news.
    waits: tokio::sync::watch::Sender<u32>,
    news: tokio::sync::Notify,
    services: ServiceLines,
    /// How many connections are served.
    serving: tokio::sync::watch::Sender<u32>,
}

/// One that waits.
struct Waits<'a>(&'a Broker);

impl<'a> Waits<'a> {
    fn on(broker: &'a Broker) -> Self {
        broker.waits.send_modify(|waits| *waits += 1);
        Self(broker)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waits.send_modify(|waits| *waits -= 1);
    }
}

impl Handler for Broker {
    fn hello(&self) -> Hello {
        Hello {
            protocol: self.protocol,
            pid: std::process::id(),
            app: "app".to_owned(),
            mode: Mode::App,
            state: AppState::Foreground,
        }
    }

    fn handle(&self, request: Request) -> BoxFuture<'_, Response> {
        if let Request::Watch { unlike, .. } = request {
            return async move {
                let news = self.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                let _waits = Waits::on(self);
                news.await;
                Response::Seen(unlike.unwrap_or_else(seen))
            }
            .boxed();
        }
        let answer = match request {
            Request::Status => Response::Status {
                hello: self.hello(),
                since: jiff::Timestamp::UNIX_EPOCH,
                running: 1,
                waiting: 2,
            },
            Request::Fire { task, arguments } if task == "sync" => {
                assert_eq!(
                    arguments,
                    Some(serde_json::json!({"n": 1, "deep": [null, 1.5]}))
                );
                self.fired.fetch_add(1, Ordering::Relaxed);
                Response::Fired {
                    activation: ActivationId::now(),
                }
            }
            Request::Fire { task, .. } => Error::new(Code::UnknownTask, "no such task")
                .task(task)
                .remedy("`bgtask list` shows the names")
                .source(std::io::Error::other("the cause"))
                .into(),
            Request::Why { .. } => Response::Why {
                answers: vec![Why {
                    task: "x".to_owned(),
                    text: "x".repeat(5 << 20),
                    details: serde_json::Value::Null,
                }],
            },
            _ => Response::List {
                tasks: Vec::new(),
                warnings: Vec::new(),
            },
        };
        async move { answer }.boxed()
    }

    fn connect(&self, service: String) -> BoxFuture<'_, Result<Connected>> {
        let line = self.services.open();
        let calls = self.services.take(line.connection).unwrap();
        let mut task = ServiceConnection { service, calls };
        if task.service() == "nobody" {
            let error = Error::new(Code::NotAccepted, "nobody serves it");
            return async move { Err(error) }.boxed();
        }
        self.serving.send_modify(|serving| *serving += 1);
        let serving = self.serving.clone();
        tokio::spawn(async move {
            while let Some(request) = task.next().await {
                match request.message::<u32>().unwrap() {
                    0 => break,
                    1 => drop(request),
                    number => request.reply(number * 2).unwrap(),
                }
            }
            drop(task);
            serving.send_modify(|serving| *serving -= 1);
        });
        let over = std::future::pending().boxed();
        async move { Ok(Connected { line, over }) }.boxed()
    }
}

impl Broker {
    fn new(protocol: u32) -> Self {
        Self {
            protocol,
            fired: AtomicUsize::new(0),
            waits: tokio::sync::watch::Sender::new(0),
            news: tokio::sync::Notify::new(),
            services: ServiceLines::default(),
            serving: tokio::sync::watch::Sender::new(0),
        }
    }
}

fn start(dir: &Path, protocol: u32) -> (Arc<Broker>, JoinHandle<()>) {
    let broker = Arc::new(Broker::new(protocol));
    let server = Server::bind(dir).unwrap();
    (Arc::clone(&broker), tokio::spawn(server.serve(broker)))
}

#[tokio::test]
async fn a_client_asks_and_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Client::connect(dir.path()).await.unwrap().is_none());
    let (broker, _serving) = start(dir.path(), PROTOCOL);
    let mut client = Client::connect(dir.path()).await.unwrap().unwrap();
    assert_eq!(client.hello(), &broker.hello());
    let status = client.ask(&Request::Status).await.unwrap();
    assert!(matches!(status, Response::Status { waiting: 2, .. }));
    let fire = Request::Fire {
        task: "sync".to_owned(),
        arguments: Some(serde_json::json!({"n": 1, "deep": [null, 1.5]})),
    };
    let fired = client.ask(&fire).await.unwrap();
    assert!(matches!(fired, Response::Fired { .. }));
    assert_eq!(broker.fired.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn an_error_arrives_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, _serving) = start(dir.path(), PROTOCOL);
    let mut client = Client::connect(dir.path()).await.unwrap().unwrap();
    let fire = Request::Fire {
        task: "snyc".to_owned(),
        arguments: None,
    };
    let error = client.ask(&fire).await.unwrap_err();
    assert_eq!(error.code(), Code::UnknownTask);
    assert_eq!(
        error.to_string(),
        "`snyc`: no such task: the cause [unknown-task]\n  help: `bgtask list` shows the names"
    );
    // An answer that is too long for a frame is told, and the connection goes on.
    let error = client.ask(&Request::Why { task: None }).await.unwrap_err();
    assert!(error.rule().contains("too long"), "{error}");
    client.ask(&Request::Status).await.unwrap();
}

#[tokio::test]
async fn another_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, _serving) = start(dir.path(), PROTOCOL + 1);
    let error = Client::connect(dir.path()).await.unwrap_err();
    assert_eq!(error.code(), Code::Control);
    assert!(error.rule().contains("version 2"), "{error}");
}

/// A user who is not the one that runs this.
fn other_user() -> Uid {
    Uid::from_raw(rustix::process::geteuid().as_raw() ^ 65_534)
}

#[tokio::test]
async fn a_broker_of_another_user_is_not_talked_to() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, _serving) = start(dir.path(), PROTOCOL);
    let error = Client::connect_to(dir.path(), other_user())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Control);
    let us = rustix::process::geteuid();
    assert_eq!(
        error.rule(),
        format!("the control socket is served by user {us}")
    );
}

#[tokio::test]
async fn a_client_of_another_user_is_not_answered() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::bind(dir.path()).unwrap();
    server.user = other_user();
    let broker = Broker::new(PROTOCOL);
    let _serving = tokio::spawn(server.serve(Arc::new(broker)));
    let client = UnixStream::connect(socket_path(dir.path())).await.unwrap();
    let mut client = Frames::<Reply, Request>::new(client);
    assert!(client.receive().await.unwrap().is_none());
}

#[tokio::test]
async fn nonsense_harms_only_its_sender() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, _serving) = start(dir.path(), PROTOCOL);
    let mut well_behaved = Client::connect(dir.path()).await.unwrap().unwrap();

    let mut garbage = UnixStream::connect(socket_path(dir.path())).await.unwrap();
    garbage.write_all(&[0xff; 64]).await.unwrap();
    // Requests of a later version: answered with an error, not with silence.
    let later = UnixStream::connect(socket_path(dir.path())).await.unwrap();
    let mut later = Frames::<Reply, serde_json::Value>::new(later);
    assert!(matches!(
        later.receive().await.unwrap(),
        Some(Reply::Hello(_))
    ));
    for request in [serde_json::json!({"ask": "fly"}), serde_json::json!(7)] {
        later.send(&request).await.unwrap();
        let answer = later.receive().await.unwrap();
        assert!(
            matches!(&answer, Some(Reply::Answer(Response::Error { code, .. })) if code == "control"),
            "{answer:?}"
        );
    }
    well_behaved.ask(&Request::Status).await.unwrap();
}

#[tokio::test]
async fn a_socket_that_was_left_is_replaced_and_ours_is_removed() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let path = socket_path(dir.path());
    // A killed broker leaves its socket: nobody listens, which is no broker.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    assert!(Client::connect(dir.path()).await.unwrap().is_none());

    let (_broker, serving) = start(dir.path(), PROTOCOL);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(Client::connect(dir.path()).await.unwrap().is_some());
    serving.abort();
    assert!(serving.await.unwrap_err().is_cancelled());
    assert!(!path.exists());

    let error = Server::bind(&dir.path().join("missing")).unwrap_err();
    assert_eq!(error.code(), Code::Control);
}

#[tokio::test]
async fn more_clients_than_places_wait_their_turn() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, _serving) = start(dir.path(), PROTOCOL);
    let mut clients = Vec::new();
    for _ in 0..32 {
        clients.push(Client::connect(dir.path()).await.unwrap().unwrap());
    }
    let late = tokio::spawn({
        let dir = dir.path().to_owned();
        async move { Client::connect(&dir).await }
    });
    for client in &mut clients {
        client.ask(&Request::Status).await.unwrap();
    }
    assert!(!late.is_finished());
    drop(clients);
    assert!(late.await.unwrap().unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_loses_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, _serving) = start(dir.path(), PROTOCOL);
    let silent = UnixStream::connect(socket_path(dir.path())).await.unwrap();
    let mut silent = Frames::<Reply, Request>::new(silent);
    assert!(matches!(
        silent.receive().await.unwrap(),
        Some(Reply::Hello(_))
    ));
    // The clock stands still while anything can go on, and jumps to the next deadline otherwise.
    assert!(silent.receive().await.unwrap().is_none());
}

#[tokio::test]
async fn clients_that_wait_keep_no_other_from_being_served() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, _serving) = start(dir.path(), PROTOCOL);
    let mut waiting = tokio::task::JoinSet::new();
    for number in 1..=100 {
        let mut client = Client::connect(dir.path()).await.unwrap().unwrap();
        // A first look may take its time as well.
        let unlike = (number % 2 == 0).then(seen);
        let activation = ActivationId::now();
        let watch = Request::Watch { activation, unlike };
        waiting.spawn(async move { client.ask(&watch).await.unwrap() });
        broker
            .waits
            .subscribe()
            .wait_for(|waits| *waits == number)
            .await
            .unwrap();
    }
    let mut client = Client::connect(dir.path()).await.unwrap().unwrap();
    client.ask(&Request::Status).await.unwrap();
    broker.news.notify_waiters();
    let answered = waiting.join_all().await;
    assert_eq!(answered.len(), 100);
}

#[tokio::test]
async fn no_more_than_so_many_wait_and_one_that_goes_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, _serving) = start(dir.path(), PROTOCOL);
    let mut waits = broker.waits.subscribe();
    let mut waiting = tokio::task::JoinSet::new();
    for number in 1..=256 {
        let mut client = Client::connect(dir.path()).await.unwrap().unwrap();
        waiting.spawn(async move { client.ask(&watch()).await.unwrap() });
        waits.wait_for(|waits| *waits == number).await.unwrap();
    }
    let mut client = Client::connect(dir.path()).await.unwrap().unwrap();
    let error = client.ask(&watch()).await.unwrap_err();
    assert!(error.rule().contains("256 clients wait"), "{error}");
    waiting.abort_all();
    waits.wait_for(|waits| *waits == 0).await.unwrap();
    let again = watch();
    let asks = client.ask(&again);
    let news = async {
        waits.wait_for(|waits| *waits == 1).await.unwrap();
        broker.news.notify_waiters();
    };
    let (answer, ()) = tokio::join!(asks, news);
    answer.unwrap();
}

fn seen() -> Seen {
    Seen {
        task: "sync".to_owned(),
        progress: None,
        ended: None,
    }
}

fn watch() -> Request {
    Request::Watch {
        activation: ActivationId::now(),
        unlike: Some(seen()),
    }
}

async fn connected(dir: &Path, service: &str) -> Result<Client> {
    let mut client = Client::connect(dir).await.unwrap().unwrap();
    let connect = Request::Connect {
        service: service.to_owned(),
    };
    match client.ask(&connect).await? {
        Response::Connected => Ok(client),
        other => panic!("{other:?}"),
    }
}

async fn call(client: &mut Client, number: u32) -> Response {
    let message = number.into();
    client.ask(&Request::Call { message }).await.unwrap()
}

#[tokio::test]
async fn a_connection_to_a_service_lasts_until_one_of_both_goes() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, _server) = start(dir.path(), PROTOCOL);
    let error = connected(dir.path(), "nobody").await.unwrap_err();
    assert_eq!(error.code(), Code::NotAccepted);
    let mut serving = broker.serving.subscribe();

    let mut one = connected(dir.path(), "double").await.unwrap();
    let mut other = connected(dir.path(), "double").await.unwrap();
    assert_eq!(*serving.borrow_and_update(), 2);
    let four = Response::Replied { message: 4.into() };
    assert_eq!(call(&mut one, 2).await, four);
    assert_eq!(call(&mut other, 2).await, four);
    assert_eq!(call(&mut one, 1).await, Response::Unanswered);
    let error = one.ask(&Request::Status).await.unwrap_err();
    assert_eq!(error.code(), Code::Control);
    assert_eq!(call(&mut one, 2).await, four, "it goes on");
    // The client goes.
    drop(one);
    serving.wait_for(|serving| *serving == 1).await.unwrap();
    // The task goes.
    assert_eq!(call(&mut other, 0).await, Response::Unanswered);
    serving.wait_for(|serving| *serving == 0).await.unwrap();
    assert_eq!(call(&mut other, 2).await, Response::ServiceClosed);
    // There is still somebody for everybody else.
    let mut client = Client::connect(dir.path()).await.unwrap().unwrap();
    assert!(client.ask(&Request::Status).await.is_ok());
}

#[tokio::test]
async fn who_waits_for_a_service_keeps_nobody_from_being_served() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, _server) = start(dir.path(), PROTOCOL);
    let mut connections = Vec::new();
    for _ in 0..40 {
        connections.push(connected(dir.path(), "double").await.unwrap());
    }
    let mut client = Client::connect(dir.path()).await.unwrap().unwrap();
    assert!(client.ask(&Request::Status).await.is_ok());
    let answer = call(&mut connections[39], 3).await;
    assert_eq!(answer, Response::Replied { message: 6.into() });
}
