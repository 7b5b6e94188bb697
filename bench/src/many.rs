//! A program with 10,000 tasks: its start, beside other ways to collect them, and the reading of
//! its manifest.

use std::{
    fmt::Write as _,
    io,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use bgtask::manifest::read_executable;

use crate::{figures::Figures, load::Failure, workspace::Workspace};

const TASKS: usize = 10_000;
const MODULES: usize = 100;
const ROUNDS: usize = 40;

/// How a program collects its tasks.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// One static array, written by hand.
    Array,
    /// A slice that the linker joins.
    Linkme,
    /// The attribute.
    Attribute,
}

const WAYS: [(Way, &str, &str); 3] = [
    (Way::Array, "array", "static array by hand"),
    (Way::Linkme, "joined", "linkme"),
    (Way::Attribute, "attribute", "background_task (inventory)"),
];

pub(crate) fn measure() -> Result<(), Failure> {
    let workspace = Workspace::new("bench-many", "linkme = \"0.3\"\n")?;
    for (way, package, _) in WAYS {
        let dependencies = "bgtask.workspace = true\nlinkme.workspace = true\n";
        workspace.package(package, dependencies, &sources(way))?;
        workspace.cargo(
            &["build", "--release", "--quiet", "--package", package],
            false,
        )?;
    }
    println!("{TASKS} tasks, {ROUNDS} rounds each; times are p50 / p99\n");
    // What only collecting costs, then with each entry read and checked, as an app does it.
    for (what, argument) in [
        ("from exec to the end of main, tasks counted", "count"),
        ("from exec to the end of main, every entry parsed", "parse"),
    ] {
        println!("{what}");
        let mut limit = None;
        let mut figures = WAYS.map(|_| Figures::default());
        // Turn by turn, so that what the machine does meanwhile meets all of them.
        for _ in 0..ROUNDS {
            for ((_, package, _), figures) in WAYS.iter().zip(&mut figures) {
                let started = Instant::now();
                run(&workspace.executable(package, "release"), argument)?;
                figures.add(started.elapsed());
            }
        }
        for ((_, _, name), figures) in WAYS.iter().zip(&mut figures) {
            figures.show(name, limit);
            limit = limit.or_else(|| Some(figures.quantile(0.5)));
        }
        println!();
    }
    println!("reading the manifest out of the executable");
    let executable = workspace.executable("attribute", "release");
    let mut figures = Figures::default();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let found = read_executable(&executable)?.tasks().len();
        figures.add(started.elapsed());
        assert_eq!(found, TASKS);
    }
    figures.show("in this process", None);
    Ok(())
}

fn run(executable: &Path, argument: &str) -> io::Result<()> {
    let output = Command::new(executable)
        .arg(argument)
        .stderr(Stdio::inherit())
        .output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && told.trim() == TASKS.to_string() {
        return Ok(());
    }
    let status = output.status;
    Err(io::Error::other(format!(
        "{} told {told:?}, {status}",
        executable.display()
    )))
}

fn sources(way: Way) -> Vec<(String, String)> {
    let mut main = String::new();
    for part in 0..MODULES {
        let _ = writeln!(main, "mod part_{part};");
    }
    main.push_str(match way {
        Way::Attribute => ATTRIBUTE_MAIN,
        Way::Linkme | Way::Array => OTHER_MAIN,
    });
    match way {
        Way::Attribute => {}
        Way::Linkme => main.push_str("#[linkme::distributed_slice]\npub static TASKS: [Task];\n"),
        Way::Array => {
            let parts: Vec<_> = (0..TASKS).map(entry_of_array).collect();
            let _ = writeln!(
                main,
                "pub static TASKS: [Task; {TASKS}] = [{}];",
                parts.join(",")
            );
        }
    }
    let mut sources = vec![("main.rs".to_owned(), main)];
    for part in 0..MODULES {
        let each = TASKS / MODULES;
        let mut text = String::new();
        for n in part * each..(part + 1) * each {
            let _ = match way {
                Way::Attribute => writeln!(
                    text,
                    "#[bgtask::background_task(trigger = every(\"1h\"))]\npub {}",
                    function(n)
                ),
                Way::Array => writeln!(text, "pub {}", function(n)),
                Way::Linkme => writeln!(
                    text,
                    "#[linkme::distributed_slice(crate::TASKS)]\n\
                     static TASK_{n}: crate::Task = {};\n{}",
                    task(&format!("task_{n}"), n),
                    function(n)
                ),
            };
        }
        sources.push((format!("part_{part}.rs"), text));
    }
    sources
}

const ATTRIBUTE_MAIN: &str = r#"
fn main() {
    let parse = std::env::args().nth(1).as_deref() == Some("parse");
    let tasks = if parse {
        bgtask::manifest::Manifest::of_this_program().unwrap().tasks().len()
    } else {
        bgtask::__private::linked()
    };
    println!("{tasks}");
}
"#;

const OTHER_MAIN: &str = r#"
pub struct Task {
    pub entry: &'static str,
    pub call: fn() -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>,
}
fn main() {
    let parse = std::env::args().nth(1).as_deref() == Some("parse");
    let tasks: Vec<&Task> = std::hint::black_box(&TASKS).iter().collect();
    std::hint::black_box(tasks.iter().map(|task| task.call as usize).max());
    let tasks = if parse {
        let entries = tasks.iter().map(|task| bgtask::manifest::Entry::from_json(task.entry.as_bytes()));
        let entries = entries.collect::<bgtask::Result<Vec<_>>>().unwrap();
        bgtask::manifest::Manifest::new("many", entries).unwrap().tasks().len()
    } else {
        tasks.len()
    };
    println!("{tasks}");
}
"#;

fn function(n: usize) -> String {
    format!("async fn task_{n}() {{ std::hint::black_box({n}); }}")
}

fn entry_of_array(n: usize) -> String {
    let path = format!("part_{}::task_{n}", n / (TASKS / MODULES));
    task(&path, n)
}

/// What the attribute would write.
fn task(path: &str, n: usize) -> String {
    let name = format!("many::part_{}::task_{n}", n / (TASKS / MODULES));
    format!(
        "crate::Task {{ entry: r#\"{{\"name\":\"{name}\",\"function\":\"{name}\",\"crate\":\"many\",\
         \"crate_version\":\"0.1.0\",\"trigger\":\"every(\\\"1h\\\")\",\"macros\":\"{}\"}}\"#, \
         call: || Box::pin({path}()) }}",
        env!("CARGO_PKG_VERSION")
    )
}
