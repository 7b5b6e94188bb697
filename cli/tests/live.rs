//! The command and a running broker. The broker here answers with fixed texts, so that what goes
//! over the socket is held still as well.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::Path,
    process::{Command, Output, Stdio},
    thread::JoinHandle,
};

use serde_json::{Value, json};

/// A frame: a length of four bytes, then MessagePack.
fn send(stream: &mut UnixStream, value: &Value) -> io::Result<()> {
    let bytes = rmp_serde::to_vec_named(value).unwrap();
    let length = u32::try_from(bytes.len()).unwrap();
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(&bytes)
}

fn receive(stream: &mut UnixStream) -> Value {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut bytes).unwrap();
    rmp_serde::from_slice(&bytes).unwrap()
}

/// Serves one connection: hello, one request, this answer. Gives the request.
fn broker(home: &Path, protocol: u32, answer: Value) -> JoinHandle<Value> {
    let mut dir = home.to_owned();
    for level in ["bgtask", "mail"] {
        dir.push(level);
        fs::create_dir_all(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let socket = dir.join("ctl.sock");
    let _ = fs::remove_file(&socket);
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let hello = json!({"protocol": protocol, "pid": 77, "app": "mail", "mode": "app", "state": "foreground"});
        send(&mut stream, &json!({"hello": hello})).unwrap();
        if protocol != 1 {
            return Value::Null;
        }
        let request = receive(&mut stream);
        send(&mut stream, &json!({"answer": answer})).unwrap();
        request
    })
}

fn run(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bgtask"))
        .args(arguments)
        .env_remove("BGTASK_STATE_DIR")
        .env_remove("XDG_STATE_HOME")
        .env("XDG_RUNTIME_DIR", home)
        .env("HOME", home)
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert_eq!(told, "");
    String::from_utf8(output.stdout.clone()).unwrap()
}

const ID: &str = "018f3c3a-7b1c-7000-8000-000000000001";

const RUN: &str = "018f3c3a-7b1c-7000-8000-000000000002";

fn run_listing(run: Value, asked: Value, overrun: bool) -> Value {
    json!({
        "activation": ID, "run": run, "since": "2026-01-02T03:04:05.5Z", "progress": null, "until": null,
        "asked": asked, "overrun": overrun,
    })
}

fn listing() -> Value {
    json!({
        "task": "sync", "registration": ID, "entry": null, "group": null, "origin": "declared",
        "standing": {"standing": "enabled"}, "overridden": null,
        "trigger": "time(15)", "alone": null, "condition": "internet",
        "host": "in_process", "state": "registered", "error": null,
        "next_due": "2026-01-02T03:19:05.25Z", "waiting": 1, "running": 2,
        "progress": {"sequence": 3, "done": 1, "total": 4, "message": null},
        "runs": [
            run_listing(json!(RUN), Value::Null, false), run_listing(json!(RUN), json!("abort"), false),
            run_listing(json!(RUN), json!("abort"), true), run_listing(Value::Null, Value::Null, false),
        ],
        "last": ["2026-01-02T03:04:05Z", {"kind": "failed", "error": "no mail\nat all"}],
    })
}

#[test]
fn list_shows_what_the_broker_says() {
    let home = tempfile::tempdir().unwrap();
    let mut refused = listing();
    refused["task"] = "photos".into();
    refused["state"] = "refused".into();
    refused["error"] = "needs a session [unsupported]\n  help: log in".into();
    refused["runs"] = json!([]);
    for absent in ["registration", "next_due", "progress", "last"] {
        refused[absent] = Value::Null;
    }
    let answer = json!({"answer": "list", "tasks": [refused, listing()]});
    let asked = broker(home.path(), 1, answer.clone());
    assert_eq!(
        out(&run(home.path(), &["list"])),
        "NAME    STATE                                   TRIGGER   NEXT DUE              WAITING  RUNNING   LAST\n\
         photos  refused: needs a session [unsupported]  time(15)  -                     1        2         -\n\
         sync    registered                              time(15)  2026-01-02T03:19:05Z  1        2 (25 %)  2026-01-02T03:04:05Z failed: no mail\n\
         \n\
         RUN                                   NAME  STATE                           SINCE\n\
         018f3c3a-7b1c-7000-8000-000000000002  sync  runs                            2026-01-02T03:04:05Z\n\
         018f3c3a-7b1c-7000-8000-000000000002  sync  asked to stop: on request       2026-01-02T03:04:05Z\n\
         018f3c3a-7b1c-7000-8000-000000000002  sync  ended; its body still executes  2026-01-02T03:04:05Z\n\
         018f3c3a-7b1c-7000-8000-000000000001  sync  waits                           2026-01-02T03:04:05Z\n"
    );
    assert_eq!(asked.join().unwrap(), json!({"ask": "list"}));

    let asked = broker(home.path(), 1, answer);
    let shown: Value = serde_json::from_str(&out(&run(
        home.path(),
        &["list", "--json", "--app", "mail"],
    )))
    .unwrap();
    assert_eq!(shown["broker"]["pid"], 77);
    assert_eq!(shown["tasks"][1], listing());
    asked.join().unwrap();
}

#[test]
fn list_tells_what_is_not_as_declared() {
    let home = tempfile::tempdir().unwrap();
    let plain = |name: &str| {
        let mut listed = listing();
        listed["task"] = name.into();
        listed["runs"] = json!([]);
        listed["last"] = Value::Null;
        listed
    };
    let mut built = plain("mine");
    built["origin"] = "built".into();
    built["entry"] = "sync".into();
    built["group"] = "lib".into();
    let since = "2026-01-02T03:04:05Z";
    built["standing"] = json!({"standing": "paused", "since": since});
    let mut changed = plain("sync");
    changed["overridden"] = "trigger `time(60)` by a.toml:2, declared as `time(15)`".into();
    let mut gone = plain("gone");
    gone["standing"] = json!({"standing": "quarantined", "since": since, "reason": "not linked"});
    let warning = "a.toml:1: no task is meant by `snyc`; did you mean `sync`?";
    let answer = json!({
        "answer": "list", "tasks": [built, changed, gone], "warnings": [warning],
    });
    let asked = broker(home.path(), 1, answer);
    let shown = out(&run(home.path(), &["list"]));
    let states: Vec<&str> = shown.lines().skip(1).collect();
    for (line, state) in states.iter().zip([
        "registered; paused since 2026-01-02T03:04:05Z; built of `sync`; in group `lib`  ",
        "registered; overridden: trigger `time(60)` by a.toml:2, declared as `time(15)`  ",
        "registered; in quarantine since 2026-01-02T03:04:05Z: not linked  ",
    ]) {
        assert!(line.contains(state), "{shown}");
    }
    assert!(
        shown.ends_with(&format!("\nwarning: {warning}\n")),
        "{shown}"
    );
    asked.join().unwrap();
}

#[test]
fn what_a_registration_may_do_is_changed_and_told() {
    let home = tempfile::tempdir().unwrap();
    let since = "2026-01-02T03:04:05Z";
    for (order, standing, told) in [
        (
            "pause",
            json!({"standing": "paused", "since": since}),
            "paused since 2026-01-02T03:04:05Z",
        ),
        ("resume", json!({"standing": "enabled"}), "enabled"),
        (
            "disable",
            json!({"standing": "disabled", "since": since}),
            "disabled since 2026-01-02T03:04:05Z",
        ),
        ("enable", json!({"standing": "enabled"}), "enabled"),
    ] {
        let answer = json!({
            "answer": "stands", "task": "sync", "registration": ID, "standing": standing,
        });
        let asked = broker(home.path(), 1, answer.clone());
        assert_eq!(
            out(&run(home.path(), &[order, "sync"])),
            format!("sync: {told}\n")
        );
        assert_eq!(
            asked.join().unwrap(),
            json!({"ask": "stand", "task": "sync", "order": order})
        );
        let asked = broker(home.path(), 1, answer);
        let shown = out(&run(home.path(), &[order, "018f3c3a", "--json"]));
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(
            shown,
            json!({"app": "mail", "task": "sync", "registration": ID, "standing": standing})
        );
        asked.join().unwrap();
    }
}

#[test]
fn unregister_tells_whether_it_comes_back() {
    let home = tempfile::tempdir().unwrap();
    for (declared, told) in [
        (false, "sync: unregistered\n"),
        (
            true,
            "sync: unregistered; it is declared, and the next launch registers it again\n",
        ),
    ] {
        let answer = json!({
            "answer": "unregistered", "task": "sync", "registration": ID, "declared": declared,
        });
        let asked = broker(home.path(), 1, answer);
        assert_eq!(
            out(&run(home.path(), &["unregister", "sync", "--cancel"])),
            told
        );
        assert_eq!(
            asked.join().unwrap(),
            json!({"ask": "unregister", "task": "sync", "cancel": true})
        );
    }
}

#[test]
fn why_shows_each_answer() {
    let home = tempfile::tempdir().unwrap();
    let why = json!({"task": "sync", "text": "held: \u{1b}[2J\nsince noon", "details": {"a": 1}});
    let asked = broker(home.path(), 1, json!({"answer": "why", "answers": [why]}));
    assert_eq!(
        out(&run(home.path(), &["why", "sync"])),
        "sync\n  held: \u{fffd}[2J\n  since noon\n"
    );
    assert_eq!(asked.join().unwrap(), json!({"ask": "why", "task": "sync"}));
}

#[test]
fn fire_hands_the_arguments_over_and_tells_the_activation() {
    let home = tempfile::tempdir().unwrap();
    let asked = broker(home.path(), 1, json!({"answer": "fired", "activation": ID}));
    let arguments = ["fire", "sync", "--args", r#"{"files": ["a", 1.5]}"#];
    assert_eq!(
        out(&run(home.path(), &arguments)),
        format!("sync: activation {ID} is kept\n")
    );
    assert_eq!(
        asked.join().unwrap(),
        json!({"ask": "fire", "task": "sync", "arguments": {"files": ["a", 1.5]}})
    );
}

#[test]
fn raise_tells_what_took_the_event() {
    let home = tempfile::tempdir().unwrap();
    for (activations, told) in [
        (json!([ID]), format!("door: activation {ID} is kept\n")),
        (json!([]), "door: no task took it\n".to_owned()),
    ] {
        let answer = json!({"answer": "raised", "activations": activations});
        let asked = broker(home.path(), 1, answer);
        let arguments = ["raise", "door", "--args", "[7]"];
        assert_eq!(out(&run(home.path(), &arguments)), told);
        assert_eq!(
            asked.join().unwrap(),
            json!({"ask": "raise", "event": "door", "arguments": [7]})
        );
    }
}

#[test]
fn push_hands_over_what_standard_input_holds() {
    let home = tempfile::tempdir().unwrap();
    let answer = json!({"answer": "raised", "activations": [ID]});
    let asked = broker(home.path(), 1, answer.clone());
    let mut push = Command::new(env!("CARGO_BIN_EXE_bgtask"))
        .args(["push", "news", "--header", "kind=a=b", "--app", "mail"])
        .env("XDG_RUNTIME_DIR", home.path())
        .env("HOME", home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = push.stdin.take().unwrap();
    input.write_all(b"it\xffrains").unwrap();
    drop(input);
    let told = out(&push.wait_with_output().unwrap());
    assert_eq!(told, format!("activation {ID} is kept\n"));
    let asked = asked.join().unwrap();
    assert_eq!(asked["ask"], "push");
    let notification = &asked["notification"];
    assert_eq!(notification["channel"], "news");
    assert_eq!(notification["headers"], json!({"kind": "a=b"}));
    let bytes = b"it\xffrains".map(Value::from);
    assert_eq!(notification["bytes"], Value::from(bytes.to_vec()));

    let asked = broker(home.path(), 1, answer);
    let arguments = ["push", "--content", "it rains", "--json", "--app", "mail"];
    let shown: Value = serde_json::from_str(&out(&run(home.path(), &arguments))).unwrap();
    assert_eq!(shown, json!({"app": "mail", "activations": [ID]}));
    let asked = asked.join().unwrap();
    assert_eq!(asked["notification"]["bytes"], "it rains");
    assert_eq!(asked["notification"]["channel"], Value::Null);
}

#[test]
fn cancel_says_what_happens_next() {
    let home = tempfile::tempdir().unwrap();
    let answer = |run: Value, reason: &str| {
        json!({
            "answer": "cancelled", "task": "sync", "activation": ID, "run": run,
            "reason": reason, "grace": {"secs": 5, "nanos": 0},
        })
    };
    for (run_id, reason, told) in [
        (
            json!(RUN),
            "abort",
            format!("sync: run {RUN} is asked to stop and has 5s (on request)\n"),
        ),
        (
            json!(RUN),
            "idle_task",
            format!("sync: run {RUN} was asked to stop before (it was idle)\n"),
        ),
        (
            Value::Null,
            "abort",
            format!("sync: activation {ID} will not start (on request)\n"),
        ),
    ] {
        let asked = broker(home.path(), 1, answer(run_id, reason));
        assert_eq!(out(&run(home.path(), &["cancel", "018f3c3a"])), told);
        assert_eq!(
            asked.join().unwrap(),
            json!({"ask": "cancel", "id": "018f3c3a", "reason": "abort"})
        );
    }

    let asked = broker(home.path(), 1, answer(json!(RUN), "servicing_update"));
    let arguments = ["cancel", RUN, "--reason", "servicing_update", "--json"];
    let shown: Value = serde_json::from_str(&out(&run(home.path(), &arguments))).unwrap();
    assert_eq!(
        shown,
        json!({
            "app": "mail", "task": "sync", "activation": ID, "run": RUN,
            "reason": "servicing_update", "grace_seconds": 5.0,
        })
    );
    assert_eq!(
        asked.join().unwrap(),
        json!({"ask": "cancel", "id": RUN, "reason": "servicing_update"})
    );
}

#[test]
fn history_shows_outcomes() {
    let home = tempfile::tempdir().unwrap();
    let run_record = json!({
        "run": ID, "activation": ID, "registration": ID, "task": "sync", "attempt": 2,
        "accepted": "2026-01-02T03:04:05Z", "started": null, "ended": "2026-01-02T03:04:06Z",
        "outcome": {"kind": "killed", "cause": {"cause": "signal", "signal": 11}},
        "progress": null, "retry_at": "2026-01-02T03:05:00Z",
    });
    let asked = broker(
        home.path(),
        1,
        json!({"answer": "history", "runs": [run_record]}),
    );
    assert_eq!(
        out(&run(home.path(), &["history", "--limit", "5"])),
        "ENDED                 NAME  TRY  STARTED  OUTCOME\n\
         2026-01-02T03:04:06Z  sync  2    -        killed: signal 11 (bad memory access); again at 2026-01-02T03:05:00Z\n"
    );
    assert_eq!(
        asked.join().unwrap(),
        json!({"ask": "history", "task": null, "limit": 5})
    );
}

#[test]
fn what_the_broker_refuses_is_told_as_it_told_it() {
    let home = tempfile::tempdir().unwrap();
    let answer = json!({
        "answer": "error", "code": "unknown-task", "task": "snyc",
        "rule": "no task of that name", "remedy": "`bgtask list` shows the names",
    });
    let asked = broker(home.path(), 1, answer);
    let output = run(home.path(), &["fire", "snyc"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error: `snyc`: no task of that name [unknown-task]\n  help: `bgtask list` shows the names\n"
    );
    asked.join().unwrap();

    for (protocol, answer, part) in [
        (2, Value::Null, "speaks version 2"),
        (1, json!({"answer": "nothing known"}), "cannot be talked to"),
        (
            1,
            json!({"answer": "fired", "activation": ID}),
            "another kind of answer",
        ),
    ] {
        let asked = broker(home.path(), protocol, answer);
        let output = run(home.path(), &["list"]);
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains(part) && told.contains("[control]"), "{told}");
        asked.join().unwrap();
    }
}
