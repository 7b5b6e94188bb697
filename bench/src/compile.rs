//! What the attribute costs the compiler: 1,000 annotated functions beside 1,000 plain ones and
//! beside attributes that everybody knows. CPU time, because these machines are shared.

use std::{fmt::Write as _, io, time::Duration};

use crate::workspace::Workspace;

const FUNCTIONS: usize = 1_000;
const MODULES: usize = 50;
/// Of so many rounds the least counts: what is added to it is other people's.
const ROUNDS: usize = 3;

/// A way to write the functions.
struct Way {
    package: &'static str,
    what: &'static str,
    dependencies: &'static str,
    /// Above each function.
    attribute: &'static str,
    /// Between `fn task_0` and its body.
    signature: &'static str,
    body: &'static str,
    /// How a table that keeps the functions in the program holds one of them.
    kept: Option<fn(usize) -> String>,
}

const BODY: &str = "{ let mut sum = 0; for n in 0..3 { sum += crate::step(n).await; } \
                    if sum == 7 { println!(\"{sum}\"); } Ok(()) }";
const PLAIN: &str = "async fn $() -> Result<(), String>";

fn boxed(n: usize) -> String {
    format!("|| Box::pin(task_{n}())")
}

fn called(n: usize) -> String {
    format!("|| {{ let _ = task_{n}(); Box::pin(async {{ Ok(()) }}) }}")
}

const WAYS: [Way; 5] = [
    Way {
        package: "plain",
        what: "plain, boxed in a table by hand",
        dependencies: "",
        attribute: "",
        signature: PLAIN,
        body: BODY,
        kept: Some(boxed),
    },
    Way {
        package: "annotated",
        what: "background_task",
        dependencies: "",
        attribute: "#[bgtask::background_task(trigger = time(15), condition = internet)]",
        signature: PLAIN,
        body: BODY,
        kept: None,
    },
    Way {
        package: "arguments",
        what: "background_task with context, arguments, result",
        dependencies: "",
        attribute: "#[bgtask::background_task(trigger = application, host = process)]",
        signature: "async fn $(_: bgtask::TaskContext, _: bgtask::Args<Vec<u32>>) \
                    -> Result<(), String>",
        body: BODY,
        kept: None,
    },
    Way {
        package: "instrumented",
        what: "tracing::instrument",
        dependencies: "tracing.workspace = true\n",
        attribute: "#[tracing::instrument]",
        signature: PLAIN,
        body: BODY,
        kept: Some(boxed),
    },
    Way {
        package: "entered",
        what: "tokio::main",
        dependencies: "tokio.workspace = true\n",
        attribute: "#[tokio::main]",
        signature: PLAIN,
        body: BODY,
        kept: Some(called),
    },
];

/// What is measured of each way.
#[derive(Clone, Copy, Default)]
struct Cost {
    check: Duration,
    build: Duration,
    edit_check: Duration,
    edit_build: Duration,
}

impl Cost {
    const fn all(self) -> [Duration; 4] {
        [self.check, self.build, self.edit_check, self.edit_build]
    }
}

/// `wanted` are names of packages in [`WAYS`]; none is all of them. Those that others are compared
/// with are always there.
pub(crate) fn measure(wanted: &[String]) -> io::Result<()> {
    let is_wanted = |way: &&Way| {
        let compared = ["plain", "instrumented"].contains(&way.package);
        compared || wanted.is_empty() || wanted.iter().any(|wanted| wanted == way.package)
    };
    let ways: Vec<&Way> = WAYS.iter().filter(is_wanted).collect();
    let workspace = Workspace::new(
        "bench-compile",
        "tracing = \"0.1\"\ntokio = { version = \"1\", features = [\"full\"] }\n",
    )?;
    for way in &WAYS {
        // The runtime is in each of the programs: what is counted is the attribute.
        let dependencies = format!("bgtask.workspace = true\n{}", way.dependencies);
        workspace.package(way.package, &dependencies, &sources(way))?;
    }
    // What they depend on is not to be measured.
    for way in &ways {
        for command in ["check", "build"] {
            workspace.cargo(&[command, "--quiet", "--package", way.package], true)?;
        }
    }
    let mut costs = vec![Cost::default(); ways.len()];
    for round in 0..ROUNDS {
        for (way, cost) in ways.iter().zip(&mut costs) {
            let found = cost_of(&workspace, way, round)?;
            let least = |old: Duration, new: Duration| {
                if round == 0 { new } else { old.min(new) }
            };
            *cost = Cost {
                check: least(cost.check, found.check),
                build: least(cost.build, found.build),
                edit_check: least(cost.edit_check, found.edit_check),
                edit_build: least(cost.edit_build, found.edit_build),
            };
        }
    }
    show(&ways, &costs);
    Ok(())
}

fn cost_of(workspace: &Workspace, way: &Way, round: usize) -> io::Result<Cost> {
    let run = |command: &str, incremental| {
        let arguments = [command, "--package", way.package, "--quiet", "--jobs=1"];
        workspace.cargo(&arguments, incremental)
    };
    workspace.touch(way.package, "main.rs")?;
    let check = run("check", false)?;
    workspace.touch(way.package, "main.rs")?;
    let build = run("build", false)?;
    // One line of one body.
    for command in ["check", "build"] {
        run(command, true)?;
    }
    let edited = module(way, 0).replacen("0..3", &format!("0..{}", 4 + round), 1);
    workspace.edit(way.package, "part_0.rs", &edited)?;
    let edit_check = run("check", true)?;
    let edit_build = run("build", true)?;
    workspace.edit(way.package, "part_0.rs", &module(way, 0))?;
    Ok(Cost {
        check,
        build,
        edit_check,
        edit_build,
    })
}

fn show(ways: &[&Way], costs: &[Cost]) {
    let of = |package| {
        let mut both = ways.iter().zip(costs);
        both.find(|(way, _)| way.package == package)
            .map_or(Cost::default(), |(_, cost)| *cost)
    };
    let (plain, instrumented) = (of("plain"), of("instrumented"));
    println!(
        "{FUNCTIONS} functions, CPU seconds; behind them: added to each plain function, and the \
         ratio of that to what `tracing::instrument` adds"
    );
    println!(
        "{:<48}{:>26}{:>26}{:>26}{:>26}",
        "", "check", "build", "check after an edit", "build after an edit"
    );
    for (way, cost) in ways.iter().zip(costs) {
        let columns = cost.all().into_iter().zip(plain.all());
        let columns = columns.zip(instrumented.all());
        let mut line = format!("{:<48}", way.what);
        for ((cost, plain), instrumented) in columns {
            let added = cost.as_secs_f64() - plain.as_secs_f64();
            let beside = instrumented.as_secs_f64() - plain.as_secs_f64();
            #[allow(clippy::cast_precision_loss, reason = "a thousand")]
            let each = added * 1e3 / FUNCTIONS as f64;
            let _ = write!(
                line,
                "{:>8.2} {each:>+8.2} ms {:>5.2}x",
                cost.as_secs_f64(),
                added / beside
            );
        }
        println!("{line}");
    }
}

fn sources(way: &Way) -> Vec<(String, String)> {
    let mut main = String::from("#![allow(dead_code)]\nuse bgtask as _;\n");
    for part in 0..MODULES {
        let _ = writeln!(main, "mod part_{part};");
    }
    main.push_str(
        "async fn step(n: u32) -> u32 { n }\n\
         pub type Kept = fn() -> std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;\n\
         fn main() {\n",
    );
    if way.kept.is_some() {
        for part in 0..MODULES {
            let _ = writeln!(main, "    std::hint::black_box(&part_{part}::KEPT);");
        }
    }
    main.push_str("}\n");
    let mut sources = vec![("main.rs".to_owned(), main)];
    for part in 0..MODULES {
        sources.push((format!("part_{part}.rs"), module(way, part)));
    }
    sources
}

fn module(way: &Way, part: usize) -> String {
    let each = FUNCTIONS / MODULES;
    let mut text = String::new();
    for n in part * each..(part + 1) * each {
        let signature = way.signature.replace('$', &format!("task_{n}"));
        let _ = writeln!(text, "{}\npub {signature} {}\n", way.attribute, way.body);
    }
    if let Some(kept) = way.kept {
        let table: Vec<String> = (part * each..(part + 1) * each).map(kept).collect();
        let _ = writeln!(
            text,
            "pub static KEPT: [crate::Kept; {each}] = [{}];",
            table.join(", ")
        );
    }
    text
}
