//! A module of the library imports only from floors below its own; time is asked in one place,
//! processes are started in one place, and only the place that must print prints.

use std::{collections::BTreeMap, fs, path::Path};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The floors, the ground first.
const FLOORS: [&[&str]; 6] = [
    &["error", "id", "words"],
    &[
        "clock",
        "energy",
        "event",
        "task",
        "body",
        "extract",
        "fact",
        "profile",
        "state",
        "sandbox",
        "scheduler",
        "standing",
        "sys",
        "text_file",
    ],
    &[
        "access",
        "capability",
        "dirs",
        "inhibitor",
        "ipc",
        "manifest",
        "monitor",
        "outbox",
        "overrides",
        "registry",
        "store",
    ],
    &["host"],
    &["broker"],
    &["lib", "__private", "app", "entry", "inspect"],
];

/// What is imported from its own floor or from above: by which file or folder, what, why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "lib.rs",
        "app",
        "the root's prelude names what programs name",
    ),
    ("__private.rs", "entry", "what expansions name is the entry"),
    (
        "entry.rs",
        "app",
        "the entry builds the app and hands it to `main`",
    ),
    (
        "broker/startup.rs",
        "app",
        "starting takes an `AppBuilder` and gives the `App` on it",
    ),
    (
        "broker/access.rs",
        "app::AppBuilder",
        "access is opened as the `AppBuilder` says",
    ),
    (
        "broker/supervise.rs",
        "app::App",
        "the app lives as long as its `main`",
    ),
    (
        "registry.rs",
        "manifest::Entry",
        "a task is registered from its manifest entry's bytes",
    ),
    (
        "capability.rs",
        "monitor",
        "how well something works depends on who answers here",
    ),
    (
        "ipc/control/message.rs",
        "store::Origin",
        "who made a registration is told as it is kept",
    ),
    (
        "ipc/control/message.rs",
        "store::RunRecord",
        "history is told as it is kept",
    ),
    (
        "scheduler",
        "store::Fire",
        "a decision says what to write; the record is plain data",
    ),
    (
        "scheduler",
        "store::NewActivation",
        "a decision says what to write; the record is plain data",
    ),
    (
        "scheduler",
        "task",
        "reasons, outcomes and details are what is decided upon",
    ),
    ("scheduler", "fact", "facts are what is decided upon"),
    ("energy", "fact", "a cost follows from facts"),
    (
        "scheduler",
        "standing",
        "whether a registration may fire and start is decided upon",
    ),
    (
        "event.rs",
        "task",
        "events carry reasons, outcomes and progress",
    ),
    (
        "event.rs",
        "access::AccessStatus",
        "an event tells what the app may do from then on",
    ),
    (
        "event.rs",
        "standing::Standing",
        "an event tells what may be done from then on",
    ),
    (
        "extract.rs",
        "task",
        "parameters are taken out of the task's context",
    ),
    (
        "extract.rs",
        "body::TaskType",
        "`Args` of a request are those that the body takes",
    ),
    (
        "body.rs",
        "extract::Requirements",
        "a linked body says what its parameters need",
    ),
    (
        "body.rs",
        "task::TaskContext",
        "a body is called with its context",
    ),
    (
        "body.rs",
        "monitor::ConditionReporter",
        "a condition's function is called with its reporter",
    ),
    (
        "task/context.rs",
        "state::StateMap",
        "the context carries what `State` takes",
    ),
];

/// A file: where it is below `src`, and its code without tests.
struct Source {
    file: String,
    tokens: Vec<TokenTree>,
}

impl Source {
    fn new(file: &str, text: &str) -> Self {
        let tokens = parsed(text);
        let file = file.to_owned();
        Self {
            file,
            tokens: without_tests(tokens),
        }
    }

    /// The modules that the file is in, the root's first, and itself.
    fn module(&self) -> Vec<&str> {
        let path = self.file.trim_end_matches(".rs").trim_end_matches("/mod");
        path.split('/').filter(|name| *name != "lib").collect()
    }

    /// The root's module that the file belongs to.
    fn top(&self) -> &str {
        self.module().first().copied().unwrap_or("lib")
    }

    /// Every path below the root that the file names.
    fn named(&self) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        named(&self.module(), &self.tokens, &mut found);
        found
    }

    /// The file's code, a space between tokens.
    fn code(&self) -> String {
        self.tokens
            .iter()
            .cloned()
            .collect::<TokenStream>()
            .to_string()
    }
}

fn parsed(text: &str) -> Vec<TokenTree> {
    let tokens: TokenStream = text.parse().expect("Rust");
    tokens.into_iter().collect()
}

/// Whether an attribute's group marks what is only for tests.
fn marks_tests(attribute: &TokenTree) -> bool {
    let text = attribute.to_string().replace(' ', "");
    text == "[cfg(test)]" || text.starts_with("[cfg(all(test,")
}

/// Leaves out every item marked `#[cfg(test)]`, at all depths.
fn without_tests(tokens: Vec<TokenTree>) -> Vec<TokenTree> {
    let mut kept = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let is_test = tokens
            .peek()
            .is_some_and(|next| token.to_string() == "#" && marks_tests(next));
        match token {
            // Up to the end of what is marked: a block, or a semicolon.
            _ if is_test => drop(tokens.find(|token| match token {
                TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                other => other.to_string() == ";",
            })),
            TokenTree::Group(group) => {
                let inner = without_tests(group.stream().into_iter().collect());
                let inner = inner.into_iter().collect();
                kept.push(proc_macro2::Group::new(group.delimiter(), inner).into());
            }
            other => kept.push(other),
        }
    }
    kept
}

/// Every path below the root that the tokens name, also in groups of a `use`.
fn named(module: &[&str], tokens: &[TokenTree], found: &mut Vec<Vec<String>>) {
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Group(group) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                named(module, &inner, found);
            }
            TokenTree::Ident(word) if word == "crate" && colons(tokens, at) => {
                at = path(Vec::new(), tokens, at + 2, found);
            }
            TokenTree::Ident(word) if word == "super" && colons(tokens, at) => {
                let mut base: Vec<String> = module.iter().map(|&name| name.to_owned()).collect();
                base.pop();
                at += 2;
                while tokens
                    .get(at)
                    .is_some_and(|token| token.to_string() == "super")
                {
                    base.pop();
                    at += 3;
                }
                at = path(base, tokens, at, found);
            }
            _ => {}
        }
    }
}

fn colons(tokens: &[TokenTree], at: usize) -> bool {
    let colon = |at: usize| tokens.get(at).is_some_and(|token| token.to_string() == ":");
    colon(at) && colon(at + 1)
}

/// Reads a path, or a tree of them, that starts at `at`; returns where it ends.
fn path(
    mut base: Vec<String>,
    tokens: &[TokenTree],
    mut at: usize,
    found: &mut Vec<Vec<String>>,
) -> usize {
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Ident(word) => base.push(word.to_string()),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                for branch in inner.split(|token| token.to_string() == ",") {
                    if !branch.is_empty() {
                        path(base.clone(), branch, 0, found);
                    }
                }
                return at;
            }
            _ => break,
        }
        if !colons(tokens, at) {
            break;
        }
        at += 2;
    }
    found.push(base);
    at
}

/// What the root re-exports: each name, and the module it comes from.
fn reexports(root: &str) -> BTreeMap<String, String> {
    let tokens = parsed(root);
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if token.to_string() == "use" {
            path(Vec::new(), &tokens, at + 1, &mut found);
        }
    }
    let ends = |path: &Vec<String>| Some((path.last()?.clone(), path.first()?.clone()));
    found.iter().filter_map(ends).collect()
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

/// The imports that are not from a floor below: file, and path.
fn upward(sources: &[Source], root: &str) -> Vec<(String, String)> {
    let reexports = reexports(root);
    let mut wrong = Vec::new();
    for source in sources {
        let top = source.top();
        let own = floor(top).unwrap_or_else(|| panic!("{}: on which floor is it?", source.file));
        for mut path in source.named() {
            if let Some(module) = path.first().and_then(|first| reexports.get(first)) {
                path.insert(0, module.clone());
            }
            let Some(target) = path.first() else { continue };
            // What is on no floor is another crate, which is below everything.
            if target != top && floor(target).is_some_and(|floor| floor >= own) {
                wrong.push((source.file.clone(), path.join("::")));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    wrong
}

/// Whether an exception's file or folder holds a file.
fn covers(place: &str, file: &str) -> bool {
    file == place
        || file
            .strip_prefix(place)
            .is_some_and(|rest| rest.starts_with('/'))
}

/// All files of a crate's `src`, without those that are only for tests.
fn sources(src: &Path) -> Vec<Source> {
    let mut files = Vec::new();
    walk(src, &mut files);
    let mut sources = Vec::new();
    let mut tests = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a file");
        let name = file
            .strip_prefix(src)
            .expect("below")
            .to_str()
            .expect("UTF-8");
        let source = Source::new(name, &text);
        let modules = source.module().join("/");
        for window in parsed(&text).windows(4) {
            if marks_tests(&window[1]) && window[2].to_string() == "mod" {
                tests.push(
                    format!("{modules}/{}", window[3])
                        .trim_start_matches('/')
                        .to_owned(),
                );
            }
        }
        sources.push(source);
    }
    sources.retain(|source| {
        let module = source.module().join("/");
        !tests.iter().any(|test| covers(test, &module))
    });
    sources
}

fn walk(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn library() -> Vec<Source> {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(
        sources.len() > 50,
        "the library has more files than {}",
        sources.len()
    );
    sources
}

/// The files, of those that `where_allowed` does not name, whose code holds one of these.
fn holding<'a>(sources: &'a [Source], words: &[&str], where_allowed: &[&str]) -> Vec<&'a str> {
    let elsewhere = |file: &str| !where_allowed.iter().any(|place| covers(place, file));
    let holds = |source: &&Source| {
        // Spaces at both ends, so that only whole tokens are found.
        let code = format!(
            " {} ",
            source.code().replace('(', " ( ").replace(')', " ) ")
        );
        let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
        words.iter().any(|word| format!(" {code} ").contains(word)) && elsewhere(&source.file)
    };
    sources
        .iter()
        .filter(holds)
        .map(|source| &*source.file)
        .collect()
}

#[test]
fn imports_go_downward() {
    let sources = library();
    let root = include_str!("../src/lib.rs");
    let wrong = upward(&sources, root);
    let is = |(place, target, _): &(&str, &str, &str), (file, path): &(String, String)| {
        covers(place, file) && path.starts_with(target)
    };
    let unexpected: Vec<_> = wrong
        .iter()
        .filter(|found| !EXCEPTIONS.iter().any(|one| is(one, found)))
        .collect();
    assert!(
        unexpected.is_empty(),
        "not from a floor below: {unexpected:#?}"
    );
    for one in EXCEPTIONS {
        let used = wrong.iter().any(|found| is(one, found));
        assert!(
            used,
            "nothing in {} names {} any more: take that exception out",
            one.0, one.1
        );
    }
}

/// What the checker finds in a file of that name.
fn found(file: &str, text: &str) -> Vec<String> {
    let root = "mod app; pub use app::{App, Run as Runs}; pub use error::Error; pub use bgtask_model as model;";
    let found = upward(&[Source::new(file, text)], root);
    found.into_iter().map(|(_, path)| path).collect()
}

#[test]
fn an_upward_import_is_found_however_it_is_written() {
    assert_eq!(
        found("store/memory.rs", "use crate::broker::Command;"),
        ["broker::Command"]
    );
    assert_eq!(
        found(
            "store/memory.rs",
            "use crate::{error::Code, host::{self, process::Config}};"
        ),
        ["host::process::Config", "host::self"]
    );
    assert_eq!(
        found("clock/mod.rs", "fn f(x: crate::App) {}"),
        ["app::App"]
    );
    assert_eq!(
        found("clock/mod.rs", "fn f() { crate::store::open() }"),
        ["store::open"]
    );
    assert_eq!(found("clock/mod.rs", "use super::store;"), ["store"]);
    assert_eq!(
        found("clock/system/alarm.rs", "use super::super::super::ipc::X;"),
        ["ipc::X"]
    );
    assert_eq!(
        found("monitor/mod.rs", "use crate::store::Store;"),
        ["store::Store"],
        "same floor"
    );
}

#[test]
fn a_downward_import_a_comment_and_a_test_are_not_found() {
    let text = "
        //! See [`crate::App`].
        use crate::{Error, model::Trigger, store::depth};
        use super::memory;
        // use crate::broker::Command;
        #[cfg(test)]
        use crate::broker::Command;
        fn f() { let text = \"crate::broker\"; }
        #[cfg(test)]
        mod tests { use crate::host::Host; }
        mod inner { #[cfg(test)] fn t() { crate::host::run() } }
    ";
    assert_eq!(found("store/memory.rs", text), [""; 0]);
}

#[test]
fn only_the_clock_asks_the_time() {
    let asking = [
        "Timestamp :: now",
        "Instant :: now",
        "SystemTime :: now",
        "Zoned :: now",
    ];
    assert_eq!(holding(&library(), &asking, &["clock"]), [""; 0]);
    assert_ne!(holding(&library(), &asking, &[]), [""; 0], "the clock does");
}

#[test]
fn only_the_host_starts_processes() {
    let library = library();
    assert_eq!(
        holding(
            &library,
            &[
                "process :: Command",
                "Command :: new",
                "posix_spawn",
                "fork ("
            ],
            &["host/spawned.rs"]
        ),
        [""; 0]
    );
    assert_eq!(
        holding(&library, &["Command :: new"], &[]),
        ["host/spawned.rs"]
    );
}

#[test]
fn only_one_place_is_unsafe() {
    let library = library();
    // Not the attribute of the section, `unsafe(…)`, in what tasks expand to.
    let uses = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"];
    assert_eq!(holding(&library, &uses, &["sys.rs"]), [""; 0]);
    assert_eq!(holding(&library, &uses, &[]), ["sys.rs"]);
}

#[test]
fn the_child_side_of_a_host_knows_no_store_and_no_broker() {
    let library = library();
    let root = reexports(include_str!("../src/lib.rs"));
    for file in ["host/child.rs", "host/handshake.rs"] {
        let source = library.iter().find(|source| source.file == file);
        for path in source.expect("a file").named() {
            let first = &path[0];
            let module = root.get(first).unwrap_or(first);
            assert!(!["store", "broker"].contains(&&**module), "{path:?}");
        }
    }
}

#[test]
fn only_the_entry_prints() {
    let printing = [
        " println !",
        " print !",
        " eprintln !",
        " eprint !",
        " dbg !",
    ];
    assert_eq!(holding(&library(), &printing, &[]), ["entry.rs"]);
}

#[test]
fn the_attributes_do_not_use_the_runtime() {
    let macros = Path::new(env!("CARGO_MANIFEST_DIR")).join("../macros");
    let manifest = fs::read_to_string(macros.join("Cargo.toml")).expect("a manifest");
    let names = manifest
        .lines()
        .map(|line| line.split(['=', '.', ' ']).next().unwrap_or_default());
    assert!(
        !names.clone().any(|name| name == "bgtask"),
        "a dependency on the runtime"
    );
    assert!(
        names.clone().any(|name| name == "bgtask-model"),
        "the words are shared"
    );
}
