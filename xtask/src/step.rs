//! Named steps: each is announced, timed, and named when it fails.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// What was done, for the closing table.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    done: Vec<(&'static str, Duration, Option<Tests>)>,
}

/// What test programs said at their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tests {
    pub(crate) programs: u64,
    pub(crate) passed: u64,
    pub(crate) ignored: u64,
}

impl Steps {
    /// Runs a step. `work` gives the counts of tests, if it ran any, or the problem.
    pub(crate) fn run(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<Option<Tests>, String>,
    ) -> Result<(), String> {
        println!("\n== {name}");
        let start = Instant::now();
        let result = work();
        let took = start.elapsed();
        match result {
            Ok(tests) => {
                println!("== {name}: ok, {}", seconds(took));
                self.done.push((name, took, tests));
                Ok(())
            }
            Err(problem) => Err(format!(
                "step `{name}` failed after {}: {problem}",
                seconds(took)
            )),
        }
    }

    /// All steps with their times.
    pub(crate) fn summary(&self) -> String {
        let mut lines = Vec::new();
        for (name, took, tests) in &self.done {
            let tests = tests.map_or_else(String::new, |tests| format!("  {}", tests.text()));
            lines.push(format!("{name:<10} {:>8}{tests}", seconds(*took)));
        }
        let total: Duration = self.done.iter().map(|step| step.1).sum();
        lines.push(format!("{:<10} {:>8}", "all", seconds(total)));
        lines.join("\n")
    }
}

impl Tests {
    fn text(self) -> String {
        format!(
            "{} passed, {} ignored, in {} programs",
            self.passed, self.ignored, self.programs
        )
    }

    /// Counts a closing line, `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn count(&mut self, line: &str) {
        let Some(counts) = line.trim_start().strip_prefix("test result: ") else {
            return;
        };
        self.programs += 1;
        for count in counts.split([';', '.']) {
            let mut words = count.split_whitespace();
            if let (Some(Ok(number)), Some(what)) =
                (words.next().map(str::parse::<u64>), words.next())
            {
                match what {
                    "passed" => self.passed += number,
                    "ignored" => self.ignored += number,
                    _ => {}
                }
            }
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO");
    let mut command = Command::new(program.as_deref().unwrap_or(OsStr::new("cargo")));
    command.current_dir(root());
    command
}

/// The repository.
pub(crate) fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// Runs a command whose output goes to ours.
pub(crate) fn succeed(mut command: Command) -> Result<Option<Tests>, String> {
    let status = command
        .status()
        .map_err(|error| format!("{command:?} cannot be run: {error}"))?;
    if status.success() {
        Ok(None)
    } else {
        Err(format!("{command:?} ended with {status}"))
    }
}

/// Runs tests, shows their output and counts them. Where no test ran, nothing was proved.
pub(crate) fn tests(mut command: Command) -> Result<Option<Tests>, String> {
    let cannot = |error: std::io::Error| format!("the tests cannot be run: {error}");
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(cannot)?;
    let mut tests = Tests::default();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line.map_err(cannot)?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            tests.count(&line);
        }
    }
    let status = child.wait().map_err(cannot)?;
    if !status.success() {
        Err(format!("{command:?} ended with {status}"))
    } else if tests.passed == 0 {
        Err(format!("{command:?} ran no test"))
    } else {
        Ok(Some(tests))
    }
}

#[cfg(test)]
mod tests_of_counting {
    use super::*;

    #[test]
    fn closing_lines_are_counted_and_others_are_not() {
        let mut tests = Tests::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s",
            "test a ... ok",
            "test result: FAILED. 4 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out",
        ] {
            tests.count(line);
        }
        let expected = Tests {
            programs: 2,
            passed: 7,
            ignored: 1,
        };
        assert_eq!(tests, expected);
    }
}
