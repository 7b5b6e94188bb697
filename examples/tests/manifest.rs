//! What is read from an example's executable, what the running example has, and what it writes
//! beside itself are the same.

mod common;

use std::{fs, path::Path, process::Command};

use bgtask::manifest::{Manifest, read_executable};
use common::{EXAMPLES, Network, Place, Program, executable};

/// The names in an executable, sorted.
fn names(manifest: &Manifest) -> Vec<&str> {
    manifest.tasks().iter().map(|task| task.name()).collect()
}

/// Runs an example until it has started, with nothing beside its executable; what it then wrote.
fn written_by_a_run(example: &str, place: &Place) -> String {
    let file = Manifest::path_for(executable(example));
    // There may be none.
    let _ = fs::remove_file(&file);
    let files = place.files();
    let mut program = Program::start(example, &[&files], place, Network::Down);
    match example {
        "linked" => assert_eq!(program.end().0, Some(0)),
        // A folder is no file whose lines could be counted.
        "hello" => assert_eq!(program.end().0, Some(1)),
        // Nor a database, nor an address.
        "outbox" | "echo" => assert_eq!(program.end().0, Some(1)),
        _ => {
            program.wait_for(1, "Now");
            program.interrupt();
        }
    }
    fs::read_to_string(file).expect("the manifest beside the executable")
}

#[test]
fn executables_list_what_is_registered_and_written() {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schema/manifest.schema.json");
    let schema = fs::read_to_string(schema).expect("the schema");
    let schema = serde_json::from_str(&schema).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");

    for example in EXAMPLES {
        let place = Place::new();
        let embedded = read_executable(executable(example)).expect("a manifest");
        let expected: &[&str] = match example {
            "hello" => &["hello::count_lines", "hello::heartbeat"],
            "linked" => &["library_greeting"],
            "echo" => &["echo::echo"],
            "outbox" => &["outbox::send_receipt"],
            _ => &["crash", "hash_folder", "publish", "watch_folder"],
        };
        assert_eq!(names(&embedded), expected, "{example}");

        // The running registry, as it is written at each start of a debug build.
        let written = written_by_a_run(example, &place);
        let app = format!("bgtask-examples.{example}");
        assert_eq!(written, embedded.with_app(&*app).to_json(), "{example}");

        let value = serde_json::from_str(&written).expect("JSON");
        let errors: Vec<String> = schema
            .iter_errors(&value)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, [""; 0], "{example}");
    }
}

#[test]
fn a_stripped_executable_lists_the_same() {
    for example in EXAMPLES {
        let place = Place::new();
        let original = executable(example);
        let stripped = place.files().join(example);
        fs::copy(&original, &stripped).expect("a copy");
        let status = Command::new("strip").arg("-s").arg(&stripped).status();
        let status = status.unwrap_or_else(|error| {
            panic!("strip: {error}; this test needs the Debian package binutils")
        });
        assert!(status.success(), "{status}");
        let size = |path: &Path| fs::metadata(path).expect("a file").len();
        assert!(
            size(&stripped) < size(&original),
            "there was something to strip"
        );
        assert_eq!(
            read_executable(&stripped).expect("a manifest"),
            read_executable(&original).expect("a manifest")
        );
    }
}
