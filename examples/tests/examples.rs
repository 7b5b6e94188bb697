//! Every example, run as its reader runs it, says what is recorded in `expected/`.
//!
//! `BGTASK_BLESS=1 cargo test -p bgtask-examples --test examples` records anew.

mod common;

use std::{fs, path::Path};

use common::{Network, Place, Program};

/// Compares an output with the recorded one, with times, dates and process ids left out. Lines
/// of one task stay in order; those of different tasks may come in any.
fn compare(name: &str, lines: &[String]) {
    let mut lines: Vec<String> = lines.iter().map(|line| redacted(line)).collect();
    let now = lines.iter().position(|line| line.starts_with("Now"));
    if let Some(now) = now {
        lines[now + 1..].sort_by_key(|line| line.split_whitespace().nth(1).map(str::to_owned));
    }
    let text = lines.join("\n") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/expected/{name}.txt"));
    if std::env::var_os("BGTASK_BLESS").is_some() {
        fs::write(&path, &text).expect("a file");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text, expected,
        "\n{name}: what it says is on the left\n{text}"
    );
}

/// Times, dates and process ids replaced by what they are.
fn redacted(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
        let (before, word) = rest.split_at(start);
        out += before;
        let stop = |c: char| !(c.is_ascii_alphanumeric() || c == ':' || c == '-');
        let (word, after) = word.split_at(word.find(stop).unwrap_or(word.len()));
        let colon = word.len() - word.trim_end_matches(':').len();
        let (word, colon) = word.split_at(word.len() - colon);
        let shape: String = word
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect();
        out += match &shape[..] {
            "00:00:00" | "00:00" => "<time>",
            "0000-00-00" => "<date>",
            _ if out.ends_with("process ") && shape.trim_matches('0').is_empty() => "<pid>",
            _ => word,
        };
        out += colon;
        rest = after;
    }
    out + rest
}

/// The date and time that a task is registered since.
fn since<'a>(lines: &'a [String], task: &str) -> &'a str {
    let line = lines.iter().find(|line| line.trim().starts_with(task));
    let text = line
        .and_then(|line| line.split_once("since "))
        .expect("a registration")
        .1;
    &text[..19]
}

fn place() -> Place {
    let place = Place::new();
    place.write("a.txt", "one\n");
    place.write("b/c.txt", "two\nthree\n");
    place
}

#[test]
fn quickstart_twice() {
    let place = place();
    let files = place.files();

    let mut first = Program::start("quickstart", &[&files], &place, Network::Up);
    // The second one is the one that nobody waits for.
    first.wait_for(2, "hash_folder   completed");
    for line in [
        "publish       published",
        "crash         killed",
        "watch_folder  2 files",
    ] {
        first.wait_for(1, line);
    }
    place.write("grown.txt", "four\n");
    first.wait_for(1, "watch_folder  3 files");
    let first = first.interrupt();
    compare("quickstart-first", &first);

    // What nobody waited for is shown once in each: the first start's in the second, the second
    // start's in the third.
    for name in ["quickstart-second", "quickstart-third"] {
        let mut next = Program::start("quickstart", &[&files], &place, Network::Up);
        next.wait_for(3, "  hash_folder   completed");
        for line in [
            "publish       published",
            "  crash         killed",
            "watch_folder  3 files",
        ] {
            next.wait_for(1, line);
        }
        let next = next.interrupt();
        compare(name, &next);
        for task in ["crash", "hash_folder", "publish", "watch_folder"] {
            assert_eq!(since(&next, task), since(&first, task), "{task} was kept");
        }
    }
}

#[test]
fn quickstart_holds_what_needs_internet_until_there_is_some() {
    let place = place();
    let mut program = Program::start("quickstart", &[&place.files()], &place, Network::Down);
    program.wait_for(1, "publish       held: waits for internet");
    program.wait_for(2, "hash_folder   completed");
    program.wait_for(1, "crash         killed");
    program.wait_for(1, "watch_folder  2 files");
    program.connect();
    program.wait_for(1, "publish       published");
    compare("quickstart-held", &program.interrupt());
}

#[test]
fn quickstart_interrupted_cancels_with_grace() {
    let place = place();
    // A hole of a size that is not hashed in the time of a test.
    let huge = place.write("z.bin", "");
    let huge = fs::File::options().write(true).open(huge).expect("a file");
    huge.set_len(1 << 40)
        .expect("a file system with sparse files");
    let mut program = Program::start("quickstart", &[&place.files()], &place, Network::Down);
    program.wait_for(1, "hash_folder   started");
    program.wait_for(1, "crash         killed");
    program.wait_for(1, "watch_folder  3 files");
    compare("quickstart-interrupted", &program.interrupt());
}

#[test]
fn quickstart_names_a_folder_that_is_not_there() {
    let place = place();
    let missing = Path::new("/nonexistent/folder");
    let (code, lines, errors) =
        Program::start("quickstart", &[missing], &place, Network::Down).end();
    assert_eq!((code, lines.len()), (Some(1), 0), "{lines:?}");
    compare("quickstart-missing", &[errors.trim_end().to_owned()]);
}

#[test]
fn hello() {
    let place = place();
    let files = [place.files().join("a.txt"), place.files().join("b/c.txt")];
    let files = [&*files[0], &*files[1]];
    let mut program = Program::start("hello", &files, &place, Network::Up);
    program.wait_for(2, "online");
    program.wait_for(1, "lines");
    let mut lines = program.interrupt();
    // It goes on saying so every two seconds; and of progress only the last is certain.
    lines.retain(|line| line != "online" && line != "1 of 2 files");
    compare("hello", &lines);
}

#[test]
fn linked() {
    let place = place();
    let (code, lines, errors) = Program::start("linked", &[], &place, Network::Down).end();
    assert_eq!((code, &errors[..]), (Some(0), ""));
    compare("linked", &lines);
}

#[test]
fn outbox() {
    let place = place();
    let database = place.files().join("shop.db");
    let (code, lines, errors) = Program::start("outbox", &[&database], &place, Network::Down).end();
    assert_eq!((code, &errors[..]), (Some(0), ""));
    compare("outbox", &lines);
}

#[test]
fn echo() {
    let (code, lines, errors) = Program::start("echo", &[], &Place::new(), Network::Up).end();
    assert_eq!((code, &errors[..]), (Some(0), ""));
    compare("echo", &lines);
}

#[test]
fn only_times_dates_and_process_ids_are_left_out() {
    assert_eq!(
        redacted("  08:42:46  crash  since 2026-11-21 08:42:46, started in process 4711: 12 files"),
        "  <time>  crash  since <date> <time>, started in process <pid>: 12 files"
    );
    assert_eq!(
        redacted("last run 08:42:46: completed (0910369651e902ee)"),
        "last run <time>: completed (0910369651e902ee)"
    );
}

#[test]
fn the_readme_shows_the_program_that_is_tested_here() {
    let readme = include_str!("../../README.md");
    let program = include_str!("../hello.rs").trim_end();
    assert!(program.lines().count() <= 30);
    assert!(
        readme.contains(&format!("```rust\n{program}\n```")),
        "README.md does not show examples/hello.rs as it is"
    );
}
