//! bgtask beside SQLite alone and beside other queues that keep their jobs on the disk, at the same
//! work: a body that does nothing, handed over by one caller to one worker, and by 16 to 16.
//!
//! Each measurement is a process with a folder of its own, and the rounds go through all of them in
//! turn, so that what the machine does meanwhile meets all of them. Others have no word for the
//! recorded end of a job, for which callers of bgtask wait: theirs wait for its body. What they write
//! after it counts too, because a worker is busy until then.

use std::{
    collections::HashMap,
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{load::Failure, queue, raw};

const ROUNDS: usize = 3;

/// Makes an SQLite that leaves `synchronous` as it is, FULL. What `VACUUM`, which nobody here uses,
/// would set it with is then missing, so a variable stands for that.
/// <https://sqlite.org/compile.html#omit_pager_pragmas>
const WITHOUT_PRAGMAS: &str =
    "-DSQLITE_OMIT_PAGER_PRAGMAS -Dsqlite3BtreeSetPagerFlags(a,b)=without_pragmas";

/// What a measurement was made of.
struct Row {
    name: &'static str,
    queue: Queue,
    /// How it is told to keep its promise.
    how: &'static str,
    /// What it then does, as one says of SQLite.
    synced: &'static str,
    /// Of those above it, which it is measured against. After that there is bgtask with this promise.
    limit: usize,
}

#[derive(Clone, Copy)]
enum Queue {
    /// This program, as that queue.
    This(&'static str),
    /// A package in `bench/peers`.
    Peer(&'static str),
    /// The same, with an SQLite that does not understand `PRAGMA synchronous`, and so keeps to its
    /// default, which is FULL. For those that insist on NORMAL.
    FullPeer(&'static str),
}

const fn row(
    name: &'static str,
    queue: Queue,
    how: &'static str,
    synced: &'static str,
    limit: usize,
) -> Row {
    Row {
        name,
        queue,
        how,
        synced,
        limit,
    }
}

const ROWS: [Row; 13] = [
    row("SQLite alone", Queue::This("raw"), "FULL", "WAL FULL", 0),
    row("bgtask", Queue::This("bgtask"), "", "WAL FULL", 0),
    row(
        "effectum",
        Queue::FullPeer("effectum"),
        "wal",
        "WAL FULL",
        0,
    ),
    row(
        "taskmill",
        Queue::FullPeer("taskmill"),
        "wal",
        "WAL FULL",
        0,
    ),
    row(
        "apalis-sqlite",
        Queue::Peer("apalis-sqlite"),
        "full",
        "WAL FULL",
        0,
    ),
    row(
        "SQLite alone",
        Queue::This("raw"),
        "NORMAL",
        "WAL NORMAL",
        5,
    ),
    row(
        "bgtask, eventual",
        Queue::This("bgtask"),
        "NORMAL",
        "WAL NORMAL",
        5,
    ),
    row("effectum", Queue::Peer("effectum"), "wal", "WAL NORMAL", 5),
    row(
        "effectum as it comes",
        Queue::Peer("effectum"),
        "",
        "journal NORMAL",
        5,
    ),
    row(
        "taskmill as it comes",
        Queue::Peer("taskmill"),
        "",
        "WAL NORMAL",
        5,
    ),
    row(
        "apalis-sqlite",
        Queue::Peer("apalis-sqlite"),
        "normal",
        "WAL NORMAL",
        5,
    ),
    row(
        "background-jobs",
        Queue::Peer("background-jobs"),
        "",
        "sled, each 0.5 s",
        5,
    ),
    row(
        "bgtask, volatile",
        Queue::This("bgtask"),
        "volatile",
        "nothing",
        5,
    ),
];

pub(crate) fn measure() -> Result<(), Failure> {
    let mut programs = Vec::new();
    for row in &ROWS {
        let program = row.queue.program();
        if let Err(error) = &program {
            println!("{} is left out: {error}", row.name);
        }
        programs.push(program.ok());
    }
    let mut told = ROWS.map(|_| (Figures::default(), Figures::default()));
    for round in 0..ROUNDS {
        for ((row, program), (one, many)) in ROWS.iter().zip(&mut programs).zip(&mut told) {
            let Some(path) = program.as_deref() else {
                continue;
            };
            let measured = one.add(row, path, 1).and_then(|()| many.add(row, path, 16));
            if let Err(error) = measured {
                println!("{}, {}, is left out: {error}", row.name, row.synced);
                *program = None;
            }
        }
        println!("round {} of {ROUNDS}", round + 1);
    }
    let measured = programs.iter().map(Option::is_some);
    show(&told, &measured.collect::<Vec<_>>());
    Ok(())
}

fn show(told: &[(Figures, Figures)], measured: &[bool]) {
    println!(
        "\njobs per second, callers x workers; medians of {ROUNDS} rounds; ratios are those of 16 x 16\n\
         {:<23} {:<19} {:>8} {:>8} {:>10} {:>9}   {:>7}   {:>17}",
        "", "", "1 x 1", "16 x 16", "of SQLite", "bgtask is", "flushes", "request to body"
    );
    let jobs = |row: usize| told[row].1.median("jobs_per_second");
    for (index, row) in ROWS
        .iter()
        .enumerate()
        .filter(|(index, _)| measured[*index])
    {
        if index == row.limit && index > 0 {
            println!();
        }
        let (one, many) = &told[index];
        let times = format!("{:>7.2} x", jobs(row.limit + 1) / jobs(index));
        println!(
            "{:<23} {:<19} {:>8.0} {:>8.0} {:>8.0} % {times:>9}   {:>7.2}   {:>6.2} / {:>5.2} ms",
            row.name,
            row.synced,
            one.median("jobs_per_second"),
            many.median("jobs_per_second"),
            100.0 * jobs(index) / jobs(row.limit),
            one.median("flushes_per_job"),
            one.median("p50_ms"),
            one.median("p99_ms"),
        );
    }
    println!(
        "\nflushes: what the disk was told to write for good per job at 1 x 1, whoever told it\n\
         request to body: p50 / p99 of a job now and then"
    );
}

/// What the rounds told.
#[derive(Default)]
struct Figures(HashMap<String, Vec<f64>>);

impl Figures {
    fn add(&mut self, row: &Row, program: &Path, callers: u32) -> Result<(), Failure> {
        let folder = tempfile::tempdir()?;
        if row.how == "wal" {
            // Some do not ask for the log in words that their SQLite knows; a file that has one
            // keeps it.
            raw::prepare(&folder.path().join("queue.db"))?;
        }
        let mut command = Command::new(program);
        if let Queue::This(what) = row.queue {
            command.args([queue::ARGUMENT, what]);
        }
        let output = command
            .arg(folder.path())
            .args([&callers.to_string(), row.how])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()?;
        let told = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            return Err(format!("it ended with {}, and told {told:?}", output.status).into());
        }
        for line in told.lines() {
            let figure = line.split_once(' ');
            let (name, figure) = figure.ok_or_else(|| format!("it told {line:?}"))?;
            self.0
                .entry(name.to_owned())
                .or_default()
                .push(figure.parse()?);
        }
        Ok(())
    }

    fn median(&self, name: &str) -> f64 {
        let mut figures = self.0.get(name).cloned().unwrap_or_default();
        figures.sort_unstable_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

impl Queue {
    /// The program, built if it is not yet.
    fn program(self) -> io::Result<PathBuf> {
        let (package, builds, flags) = match self {
            Self::This(_) => return env::current_exe(),
            Self::Peer(package) => (package, "as-it-comes", None),
            Self::FullPeer(package) => (package, "full", Some(WITHOUT_PRAGMAS)),
        };
        let bench = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = bench.join("../target/bench-peers").join(builds);
        fs::create_dir_all(&target)?;
        let mut cargo = Command::new("cargo");
        cargo
            .args([
                "build",
                "--release",
                "--quiet",
                "--locked",
                "--manifest-path",
            ])
            .arg(bench.join("peers").join(package).join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .stdin(Stdio::null());
        match flags {
            Some(flags) => cargo.env("LIBSQLITE3_FLAGS", flags),
            None => cargo.env_remove("LIBSQLITE3_FLAGS"),
        };
        let output = cargo.output()?;
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr);
            return Err(io::Error::other(format!("it cannot be built:\n{told}")));
        }
        let name = format!("bgtask-bench-{package}");
        Ok(target.canonicalize()?.join("release").join(name))
    }
}
