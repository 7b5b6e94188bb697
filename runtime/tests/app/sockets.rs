//! Sockets that are watched while nobody works on them, with real ones: what fires a task, what that
//! gives back, and what becomes of the rest.

use std::{
    io::{Read, Write},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixDatagram, UnixListener},
    },
    time::Duration,
};

use bgtask::{
    App, Code, EventKind, Events, Outcome, Socket, SocketActivity, SocketReason, Suppression,
    prelude::*,
};
use libtest_mimic::Trial;
use rustix::process::Signal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket, UnixStream},
};

use crate::{
    checked, event,
    harness::{self, Gate, Home, Process, visit_async},
    held, trial,
};

/// Says what it hears and why it was started, and does as it is told.
#[background_task(name = "listens here", trigger = socket)]
#[background_task(name = "listens abroad", trigger = socket, host = process("sockets"))]
#[background_task(name = "listens behind a gate", trigger = socket, condition = crate::tasks::gate_open)]
#[background_task(name = "keeps one", trigger = socket, pending = first, condition = crate::tasks::gate_open)]
#[background_task(name = "keeps the newest", trigger = socket, pending = latest, condition = crate::tasks::gate_open)]
#[background_task(name = "listens in memory", trigger = socket, delivery = volatile)]
#[background_task(name = "listens again", trigger = socket, retry(max = 1, backoff = fixed("1ms")))]
#[background_task(name = "has a channel", trigger = control_channel("mail", keep_alive = 15))]
async fn listens(task: TaskContext, mut activity: SocketActivity) -> Result<(), String> {
    let context = String::from_utf8_lossy(&activity.context).into_owned();
    let told = format!("{:?} {} {context}", activity.reason, activity.id());
    let socket: Socket = activity.take().unwrap();
    if activity.reason == SocketReason::Closed {
        write(&format!("{} {told}", task.task()));
        activity.give_back(socket).unwrap();
        return Ok(());
    }
    let mut stream = TcpStream::try_from(socket).unwrap();
    let heard = match activity.reason {
        SocketReason::KeepAlive => "nothing".to_owned(),
        _ => hears(&mut stream).await,
    };
    let is_app = std::os::unix::process::parent_id().to_string() != app_id();
    assert_eq!(is_app, task.task() != "listens abroad");
    let listener = activity.listener().unwrap_or("-").to_owned();
    says(&mut stream, &format!("{told} {listener} {heard}")).await;
    match heard.as_str() {
        "bye" => {}
        "fail" => return Err("as it was told".to_owned()),
        "fail, and give back" if task.attempt() == 1 => {
            activity.give_back(stream).unwrap();
            return Err("as it was told".to_owned());
        }
        "panic" => panic!("as it was told"),
        _ => {
            activity.context = heard.into_bytes();
            activity.give_back(stream).unwrap();
        }
    }
    Ok(())
}

/// Waits at the gate with its socket.
#[background_task(name = "listens long", trigger = socket)]
async fn comes_to_the_gate(mut activity: SocketActivity) {
    let mut stream: TcpStream = activity.take().unwrap();
    visit_async(&harness::home().join("gate"), "it has the socket").await;
    let heard = hears(&mut stream).await;
    says(&mut stream, &heard).await;
    activity.give_back(stream).unwrap();
}

/// At an address: answers, and gives back what is not its own.
#[background_task(name = "answers", trigger = socket, register = false)]
async fn answers(mut activity: SocketActivity) {
    match activity.take::<Socket>().unwrap() {
        socket if socket.kind() == bgtask::SocketKind::Udp => {
            let socket = UdpSocket::try_from(socket).unwrap();
            let mut heard = [0; 64];
            let (length, from) = socket.recv_from(&mut heard).await.unwrap();
            socket.send_to(&heard[..length], from).await.unwrap();
            activity.give_back(socket).unwrap();
        }
        socket if socket.kind() == bgtask::SocketKind::UnixStream => {
            let mut stream = UnixStream::try_from(socket).unwrap();
            let mut heard = [0; 64];
            let length = stream.read(&mut heard).await.unwrap();
            stream.write_all(&heard[..length]).await.unwrap();
        }
        socket => {
            let mut stream = TcpStream::try_from(socket).unwrap();
            let heard = hears(&mut stream).await;
            says(&mut stream, &format!("{} {heard}", activity.id())).await;
        }
    }
}

/// What there is to read.
async fn hears(stream: &mut TcpStream) -> String {
    let mut heard = [0; 64];
    let length = stream.read(&mut heard).await.unwrap();
    String::from_utf8_lossy(&heard[..length]).into_owned()
}

async fn says(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// The process of the app, as its hosts and itself see it.
fn app_id() -> String {
    std::fs::read_to_string(harness::home().join("app")).unwrap_or_default()
}

fn write(line: &str) {
    let path = harness::home().join("told");
    let mut told = std::fs::File::options();
    let mut told = told.append(true).create(true).open(path).unwrap();
    told.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Two ends of a TCP connection.
async fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = TcpStream::connect(listener.local_addr().unwrap());
    let (here, there) = tokio::join!(listener.accept(), there);
    (here.unwrap().0, there.unwrap())
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = [
        "a_socket_fires_its_task_which_gives_it_back",
        "a_listener_fires_with_each_connection",
        "the_end_of_a_connection_fires_once",
        "a_quiet_socket_fires_for_its_keep_alive",
        "a_socket_fires_once_while_its_run_has_it",
        "a_failed_run_leaves_its_socket_to_the_next_attempt",
        "sockets_of_a_disabled_task_wait",
        "a_socket_whose_activation_is_not_kept_is_closed",
        "a_newer_socket_takes_the_place_of_one_that_waits",
        "sockets_go_with_their_registration",
        "what_is_handed_over_is_checked_and_bounded",
        "the_app_takes_a_socket_back",
        "a_channel_has_one_socket_of_its_name",
        "a_trigger_names_the_address_of_its_sockets",
        "without_a_socket_nothing_is_fired",
    ]
    .map(checked)
    .into();
    trials.push(trial("the_service_manager_passes_sockets", || {
        let home = Home::new();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        // The shell does what the service manager does: it knows the id that the app will have.
        let mut command = std::process::Command::new("sh");
        command.args([
            "-c",
            "exec 3<&0 4</dev/null </dev/null; LISTEN_PID=$$ exec \"$0\"",
        ]);
        command.arg(std::env::current_exe().unwrap());
        home.surround(&mut command, "is_passed_sockets");
        command.env("LISTEN_FDS", "2");
        command.env("LISTEN_FDNAMES", "web:file");
        command.env("TEST_ADDRESS", &address);
        let listener: std::os::fd::OwnedFd = listener.into();
        Process::start_with(command, listener.into()).succeeds();
    }));
    trials.push(trial("systemd_starts_an_app_for_its_socket", || {
        let home = Home::new();
        let mut app = std::process::Command::new("");
        home.surround(&mut app, "is_activated");
        let mut command = std::process::Command::new("systemd-socket-activate");
        let path = home.path("web");
        command.arg("--listen").arg(&path).arg("--fdname=web");
        // What it is not to see, it is not given.
        let given = app.get_envs();
        for (name, value) in given.filter_map(|(name, value)| Some((name, value?))) {
            let mut set = name.to_owned();
            set.push("=");
            set.push(value);
            command.arg("--setenv").arg(set);
        }
        command.arg(std::env::current_exe().unwrap());
        let app = Process::start(command);
        let mut caller = loop {
            match std::os::unix::net::UnixStream::connect(&path) {
                Ok(caller) => break caller,
                Err(_) => std::thread::yield_now(),
            }
        };
        caller.write_all(b"hello").unwrap();
        let mut heard = Vec::new();
        caller.read_to_end(&mut heard).unwrap();
        assert_eq!(heard, b"hello");
        app.succeeds();
    }));
    trials.push(trial("a_socket_is_lost_with_its_app", || {
        let home = Home::new();
        let mut app = home.start("holds_what_a_socket_fired");
        app.line("held");
        app.signal(Signal::KILL);
        assert_eq!(app.ends_by_signal(), Signal::KILL.as_raw());
        let mut next = home.command("tells_that_the_socket_is_gone");
        next.env("GATE_OPEN", "1");
        Process::start(next).succeeds();
    }));
    trials
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    std::fs::write(harness::home().join("app"), std::process::id().to_string()).unwrap();
    match name {
        "a_socket_fires_its_task_which_gives_it_back" => gives_back(app).await,
        "a_listener_fires_with_each_connection" => listener(app).await,
        "the_end_of_a_connection_fires_once" => closed(app).await,
        "a_quiet_socket_fires_for_its_keep_alive" => keep_alive(app).await,
        "a_socket_fires_once_while_its_run_has_it" => fires_once(app).await,
        "a_failed_run_leaves_its_socket_to_the_next_attempt" => again(app).await,
        "sockets_of_a_disabled_task_wait" => disabled(app).await,
        "a_socket_whose_activation_is_not_kept_is_closed" => not_kept(app).await,
        "a_newer_socket_takes_the_place_of_one_that_waits" => newest(app).await,
        "sockets_go_with_their_registration" => unregistered(app).await,
        "what_is_handed_over_is_checked_and_bounded" => bounded(app).await,
        "the_app_takes_a_socket_back" => taken_back(app).await,
        "a_channel_has_one_socket_of_its_name" => channel(app).await,
        "a_trigger_names_the_address_of_its_sockets" => addresses(app).await,
        "without_a_socket_nothing_is_fired" => {
            let error = app.fire("listens here", None).await.unwrap_err();
            assert_eq!(error.code(), Code::Unsupported, "{error}");
        }
        "is_passed_sockets" => {
            let mut passed = app.passed_sockets().unwrap();
            assert!(app.passed_sockets().unwrap().is_empty(), "once");
            let (name, listener) = passed.pop().unwrap();
            assert!(passed.is_empty(), "a file is no socket");
            let handle = app.task_named::<listens>("listens abroad").unwrap();
            handle.transfer(name, listener).await.unwrap();
            let address = std::env::var("TEST_ADDRESS").unwrap();
            let mut client = TcpStream::connect(address).await.unwrap();
            says(&mut client, "hello").await;
            assert_eq!(hears(&mut client).await, "Accepted web#1  web hello");
        }
        "is_activated" => {
            let mut events = app.events();
            let draft = app.registration("web").entry::<answers>();
            let task = draft.trigger("socket").register().await.unwrap();
            for (name, listener) in app.passed_sockets().unwrap() {
                assert_eq!(name, "web");
                task.transfer(name, listener).await.unwrap();
            }
            assert!(ended(&mut events).await.1.is_completed());
        }
        "holds_what_a_socket_fired" => {
            let mut events = app.events();
            let (socket, mut other) = connection().await;
            transfer(app, "listens behind a gate", "chat", socket).await;
            says(&mut other, "again").await;
            held(&mut events, "listens behind a gate").await;
            println!("held");
            std::future::pending::<()>().await;
        }
        "tells_that_the_socket_is_gone" => {
            let mut events = app.events();
            let task = "listens behind a gate";
            while app.history(Some(task), 1).await.unwrap().is_empty() {
                ended(&mut events).await;
            }
            let history = app.history(Some(task), 9).await.unwrap();
            let [run] = &history[..] else {
                panic!("{history:?}")
            };
            assert!(gone(&run.outcome), "{}", run.outcome);
        }
        _ => return false,
    }
    true
}

fn gone(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed { error } if error.starts_with("its socket is gone"))
}

async fn transfer(app: &App, task: &str, id: &str, socket: TcpStream) {
    let handle = app.task_named::<listens>(task).unwrap();
    handle.transfer(id, socket).context("alice").await.unwrap();
}

/// The task of the next run that ends, and how it ends.
async fn ended(events: &mut Events) -> (String, Outcome) {
    event(events, |event| match &event.kind {
        EventKind::Ended { outcome, .. } => Some((event.task.clone(), outcome.clone())),
        _ => None,
    })
    .await
}

async fn gives_back(app: &App) {
    for task in ["listens here", "listens abroad", "listens in memory"] {
        let mut events = app.events();
        let (socket, mut other) = connection().await;
        // What is there before it is handed over counts.
        says(&mut other, "one").await;
        transfer(app, task, "chat", socket).await;
        assert_eq!(hears(&mut other).await, "Activity chat alice - one");
        says(&mut other, "two").await;
        assert_eq!(hears(&mut other).await, "Activity chat one - two");
        says(&mut other, "bye").await;
        assert_eq!(hears(&mut other).await, "Activity chat two - bye");
        assert_eq!(other.read(&mut [0; 1]).await.unwrap(), 0, "it is closed");
        for _ in 0..3 {
            assert!(ended(&mut events).await.1.is_completed());
        }
        let (socket, mut other) = connection().await;
        transfer(app, task, "chat", socket).await;
        says(&mut other, "panic").await;
        assert_eq!(hears(&mut other).await, "Activity chat alice - panic");
        assert_eq!(other.read(&mut [0; 1]).await.unwrap(), 0, "it is closed");
        assert!(matches!(
            ended(&mut events).await.1,
            Outcome::Panicked { .. }
        ));
    }
}

async fn listener(app: &App) {
    for (task, id, first) in [("listens here", "web", 1), ("listens abroad", "more", 3)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let handle = app.task_named::<listens>(task).unwrap();
        handle.transfer(id, listener).context("c").await.unwrap();
        let mut one = TcpStream::connect(address).await.unwrap();
        says(&mut one, "hello").await;
        let told = format!("Accepted {id}#{first} c {id} hello");
        assert_eq!(hears(&mut one).await, told);
        let mut two = TcpStream::connect(address).await.unwrap();
        says(&mut two, "bye").await;
        let told = format!("Accepted {id}#{} c {id} bye", first + 1);
        assert_eq!(hears(&mut two).await, told);
        // What it gave back has an id of its own.
        says(&mut one, "bye").await;
        let told = format!("Activity {id}#{first} hello {id} bye");
        assert_eq!(hears(&mut one).await, told);
    }
}

async fn closed(app: &App) {
    for task in ["listens here", "listens abroad"] {
        let mut events = app.events();
        let (socket, other) = connection().await;
        transfer(app, task, "chat", socket).await;
        drop(other);
        assert!(ended(&mut events).await.1.is_completed());
        let told = std::fs::read_to_string(harness::home().join("told")).unwrap();
        let line = format!("{task} Closed chat alice");
        assert_eq!(told.lines().last(), Some(line.as_str()));
        // It was given back, and is not there: it would fire for ever.
        let (socket, _other) = connection().await;
        transfer(app, task, "chat", socket).await;
        let back = app.take_socket::<TcpStream>("chat").await.unwrap();
        assert!(back.is_some());
    }
}

async fn keep_alive(app: &App) {
    let (socket, mut other) = connection().await;
    let handle = app.task_named::<listens>("listens here").unwrap();
    let transfer = handle.transfer("chat", socket);
    transfer.keep_alive(Duration::from_secs(1)).await.unwrap();
    assert_eq!(hears(&mut other).await, "KeepAlive chat  - nothing");
    // It begins anew when it is given back.
    assert_eq!(hears(&mut other).await, "KeepAlive chat nothing - nothing");
}

async fn fires_once(app: &App) {
    let mut events = app.events();
    let gate = Gate::new(harness::home().join("gate"));
    let (socket, mut other) = connection().await;
    let handle = app.task_named::<comes_to_the_gate>("listens long").unwrap();
    handle.transfer("chat", socket).await.unwrap();
    says(&mut other, "one").await;
    let visitor = gate.visitor();
    says(&mut other, " two").await;
    let (socket, _more) = connection().await;
    let error = handle.transfer("chat", socket).await.unwrap_err();
    assert_eq!(error.code(), Code::NotAccepted, "{error}");
    visitor.pass();
    let mut fired = 0;
    event(&mut events, |event| match &event.kind {
        EventKind::Fired { .. } => {
            fired += 1;
            None
        }
        EventKind::Ended { .. } => Some(()),
        _ => None,
    })
    .await;
    assert_eq!(fired, 1);
    assert_eq!(hears(&mut other).await, "one two");
}

async fn again(app: &App) {
    for (told, second) in [("fail, and give back", true), ("fail", false)] {
        let mut events = app.events();
        let (socket, mut other) = connection().await;
        transfer(app, "listens again", "chat", socket).await;
        says(&mut other, told).await;
        let line = format!("Activity chat alice - {told}");
        assert_eq!(hears(&mut other).await, line);
        let (_, outcome) = ended(&mut events).await;
        assert!(matches!(outcome, Outcome::Failed { .. }) && !gone(&outcome));
        if second {
            says(&mut other, "bye").await;
            assert_eq!(hears(&mut other).await, "Activity chat alice - bye");
            assert!(ended(&mut events).await.1.is_completed());
        } else {
            let history = app.history(Some("listens again"), 1).await.unwrap();
            assert_eq!(history[0].retry_at, None, "there is nothing to try again");
        }
        assert_eq!(other.read(&mut [0; 1]).await.unwrap(), 0, "it is closed");
    }
}

async fn disabled(app: &App) {
    let (socket, mut other) = connection().await;
    transfer(app, "listens abroad", "off", socket).await;
    let mut task = app.registered("listens abroad").await.unwrap();
    task.disable().await.unwrap();
    says(&mut other, "one").await;
    // Once something else was heard, this would have been.
    let (socket, mut barrier) = connection().await;
    transfer(app, "listens here", "on", socket).await;
    says(&mut barrier, "two").await;
    assert_eq!(hears(&mut barrier).await, "Activity on alice - two");
    task.enable().await.unwrap();
    assert_eq!(hears(&mut other).await, "Activity off alice - one");
    assert_eq!(
        app.registered("listens abroad").await.unwrap().suppressed(),
        0
    );
}

async fn not_kept(app: &App) {
    let mut events = app.events();
    let (socket, mut first) = connection().await;
    transfer(app, "keeps one", "first", socket).await;
    says(&mut first, "bye").await;
    held(&mut events, "keeps one").await;
    let (socket, mut second) = connection().await;
    transfer(app, "keeps one", "second", socket).await;
    says(&mut second, "bye").await;
    // What it had not read is told as a reset.
    let end = second.read(&mut [0; 1]).await;
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    let why = event(&mut events, |event| match &event.kind {
        EventKind::Suppressed { why, .. } if event.task == "keeps one" => Some(why.clone()),
        _ => None,
    })
    .await;
    assert_eq!(why, Suppression::PendingFull);
    crate::tasks::GATE.send_replace(true);
    assert_eq!(hears(&mut first).await, "Activity first alice - bye");
}

async fn newest(app: &App) {
    let mut events = app.events();
    let (socket, mut first) = connection().await;
    transfer(app, "keeps the newest", "first", socket).await;
    says(&mut first, "bye").await;
    held(&mut events, "keeps the newest").await;
    let (socket, mut second) = connection().await;
    transfer(app, "keeps the newest", "second", socket).await;
    says(&mut second, "bye").await;
    let end = first.read(&mut [0; 1]).await;
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    crate::tasks::GATE.send_replace(true);
    assert_eq!(hears(&mut second).await, "Activity second alice - bye");
}

async fn unregistered(app: &App) {
    let (socket, mut other) = connection().await;
    transfer(app, "listens here", "chat", socket).await;
    let task = app.registered("listens here").await.unwrap();
    task.unregister(false).await.unwrap();
    assert_eq!(other.read(&mut [0; 1]).await.unwrap(), 0, "it is closed");
}

async fn bounded(app: &App) {
    let handle = app.task_named::<listens>("listens here").unwrap();
    let socket = || UnixDatagram::unbound().unwrap();
    let refused = async |id: &str, context: usize| {
        let transfer = handle.transfer(id, socket()).context(vec![b'x'; context]);
        transfer.await.unwrap_err().code()
    };
    assert_eq!(refused("x", 4097).await, Code::TooLarge);
    assert_eq!(refused(&"x".repeat(257), 0).await, Code::TooLarge);
    let other = app.registered("default channel").await.unwrap();
    let error = other.transfer("x", socket()).await.unwrap_err();
    assert_eq!(error.code(), Code::Unsupported, "{error}");
    for number in 0..256 {
        let transfer = handle.transfer(number.to_string(), socket());
        transfer.context(vec![b'x'; 4096]).await.unwrap();
    }
    assert_eq!(refused("one more", 0).await, Code::QueueFull);
    assert_eq!(refused("7", 0).await, Code::NotAccepted);
    let back = app.take_socket::<UnixDatagram>("7").await.unwrap();
    assert!(back.is_some());
    handle.transfer("one more", socket()).await.unwrap();
}

async fn taken_back(app: &App) {
    let (socket, mut other) = connection().await;
    transfer(app, "listens here", "chat", socket).await;
    let back = app.take_socket("chat").await.unwrap();
    let mut back: TcpStream = back.expect("it is owned");
    says(&mut other, "for the app").await;
    assert_eq!(hears(&mut back).await, "for the app");
    let none = app.take_socket::<TcpStream>("chat").await.unwrap();
    assert!(none.is_none());
    transfer(app, "listens here", "chat", back).await;
    let error = app.take_socket::<UdpSocket>("chat").await.unwrap_err();
    assert_eq!(error.code(), Code::Unsupported, "{error}");
    assert_eq!(other.read(&mut [0; 1]).await.unwrap(), 0, "it is closed");
}

async fn channel(app: &App) {
    let handle = app.task_named::<listens>("has a channel").unwrap();
    let (socket, _other) = connection().await;
    let error = handle.transfer("news", socket).await.unwrap_err();
    assert_eq!(error.code(), Code::NotAccepted, "{error}");
    assert!(error.rule().contains("`mail`"), "{error}");
    let (socket, mut other) = connection().await;
    transfer(app, "has a channel", "mail", socket).await;
    says(&mut other, "one").await;
    assert_eq!(hears(&mut other).await, "Activity mail alice - one");
    says(&mut other, "bye").await;
    assert_eq!(hears(&mut other).await, "Activity mail one - bye");
}

async fn addresses(app: &App) {
    let path = harness::home().join("s");
    // Left by one that was killed.
    drop(UnixListener::bind(&path).unwrap());
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let tcp = format!("tcp://127.0.0.1:{port}");
    let udp = format!("udp://127.0.0.1:{port}");
    let unix = format!("unix:{}", path.display());
    let register = async |name: &str, address: &str| {
        let draft = app.registration(name).entry::<answers>();
        let draft = draft.trigger(format!("socket(\"{address}\")"));
        draft.register().await.unwrap()
    };
    register("by tcp", &tcp).await;
    register("by udp", &udp).await;
    let by_path = register("by path", &unix).await;

    let mut client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    says(&mut client, "hello").await;
    assert_eq!(hears(&mut client).await, format!("{tcp}#1 hello"));

    let mut events = app.events();
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    client.connect(("127.0.0.1", port)).await.unwrap();
    for word in [b"one", b"two"] {
        client.send(word).await.unwrap();
        let mut heard = [0; 3];
        client.recv(&mut heard).await.unwrap();
        assert_eq!(&heard, word);
        while ended(&mut events).await.0 != "by udp" {}
    }
    let none = app.take_socket::<UdpSocket>(&udp).await.unwrap();
    assert!(none.is_none(), "the trigger has it");

    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut client = UnixStream::connect(&path).await.unwrap();
    client.write_all(b"hello").await.unwrap();
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"hello");
    by_path.unregister(false).await.unwrap();
    // It ends on a thread of its own.
    while path.exists() {
        tokio::task::yield_now().await;
    }
}
