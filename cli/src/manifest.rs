//! `bgtask manifest`: the tasks in an executable.

use std::path::PathBuf;

use bgtask::manifest::{Manifest as Tasks, read_executable};

use crate::output::{Done, or_dash, print, table, tasks, tell};

/// Shows the tasks in an executable, without running it
#[derive(Debug, clap::Args)]
pub(crate) struct Manifest {
    /// An executable, a dynamic library or an archive: ELF, Mach-O or PE
    executable: PathBuf,
    /// Print the manifest as JSON
    #[arg(long)]
    json: bool,
}

impl Manifest {
    pub(crate) fn run(self) -> Done {
        let manifest = read_executable(&self.executable)?;
        let shown = self.executable.display();
        if self.json {
            return print(manifest.to_json().trim_end());
        }
        if manifest.tasks().is_empty() {
            print(format_args!("{shown}: 0 tasks"))?;
            tell(
                "help: no function with `#[background_task]` is linked into it; those of a library \
                 are as soon as the program mentions it: `use my_tasks as _;`",
            );
            return Ok(());
        }
        print(format_args!("{shown}: {}", tasks(manifest.tasks().len())))?;
        print(human(&manifest))
    }
}

fn human(manifest: &Tasks) -> String {
    let head = ["NAME", "TRIGGER", "CONDITION", "HOST", "FROM"].map(str::to_owned);
    let mut rows = vec![head];
    for task in manifest.tasks() {
        let declaration = &task.declaration;
        rows.push([
            declaration.name.clone(),
            declaration.trigger.to_string(),
            or_dash(declaration.condition.as_ref()),
            declaration.host.to_string(),
            format!("{} {}", task.crate_name, task.crate_version),
        ]);
    }
    table(&rows)
}
