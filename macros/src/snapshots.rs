//! Expansions, compared with the files in `tests/expand`. After a change:
//! `BGTASK_SNAPSHOTS=overwrite cargo test -p bgtask-macros`, then read the difference.

use std::path::Path;

use proc_macro2::TokenStream;

use crate::{condition, entry, task};

type Attribute = fn(TokenStream, TokenStream) -> TokenStream;

/// Compares what `attribute(arguments)` makes of `item` with the file.
fn compare(file: &str, attribute: Attribute, arguments: &str, item: &str) {
    let tokens = attribute(arguments.parse().unwrap(), item.parse().unwrap());
    let expanded = prettyplease::unparse(&syn::parse2(tokens).unwrap());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expand");
    let file = folder.join(file).with_extension("rs");
    if std::env::var_os("BGTASK_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(&file, expanded).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    assert!(
        expanded == expected,
        "{} differs:\n{expanded}",
        file.display()
    );
}

#[test]
fn smallest() {
    compare(
        "smallest",
        task::background_task,
        "trigger = time(15)",
        "async fn sync_mail() {}",
    );
}

#[test]
fn arguments_and_state() {
    compare(
        "arguments_and_state",
        task::background_task,
        r#"trigger = application, host = process("media"), memory = "512MiB", name = "thumb nails""#,
        "/// Makes thumbnails.\npub(crate) async fn make(task: TaskContext, Args(job): Args<Job>, State(db): State<Db>) -> Result<Summary, Failure> { body }",
    );
}

#[test]
fn constants_and_conditions() {
    compare(
        "constants_and_conditions",
        task::background_task,
        "trigger = time(limits::MINUTES), condition = internet && crate::vpn_up, crate = ::facade::tasks",
        "fn nightly() -> anyhow::Result<()> { body }",
    );
}

#[test]
fn several() {
    compare(
        "several",
        task::background_task,
        r#"trigger = every("1h"), name = "hourly""#,
        r#"#[bgtask::background_task(trigger = startup, name = "first", handle = Refresh)] async fn refresh() -> MyResult { body }"#,
    );
}

#[test]
fn mistake() {
    compare(
        "mistake",
        task::background_task,
        "trigger = tmie(15)",
        "async fn sync(Args(name): Args<String>) -> Result<usize, Failure> { body }",
    );
}

#[test]
fn own_condition() {
    compare(
        "own_condition",
        condition::background_condition,
        "",
        "async fn vpn_up(report: ConditionReporter) -> Result<(), Failure> { body }",
    );
}

#[test]
fn main_with_setup() {
    compare(
        "main_with_setup",
        entry::main,
        "setup = setup",
        "async fn main(app: App) -> Result<(), Failure> { body }",
    );
}
