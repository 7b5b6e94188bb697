//! Tasks that were compiled and are in no program, because nothing mentions their crate.
//!
//! The compiler links a dependency only if the source mentions it, and says nothing otherwise
//! (<https://github.com/dtolnay/inventory/issues/7>). The tasks of such a crate are in its `.rlib`
//! and in no executable, which this finds.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    path::Path,
};

use bgtask::manifest::{Entry, read_executable};

use crate::{
    build::{Artifact, Library, Program},
    graph::Graph,
    ignore::Ignore,
};

/// A library with tasks.
struct Tasks<'a> {
    /// Its name in the source of its own package.
    name: &'a str,
    file: Library<'a>,
    /// The tasks of all its builds: for the program and for a build script, say.
    entries: Vec<Entry>,
}

/// One text for each dependency of a program whose tasks are not in the program.
pub(crate) fn warnings(
    artifacts: &[Artifact],
    programs: &[Program<'_>],
    arguments: &[OsString],
) -> Vec<String> {
    if programs.is_empty() {
        return Vec::new();
    }
    let graph = match Graph::read(arguments) {
        Ok(graph) => graph,
        Err(why) => {
            let why = why.trim_end();
            return vec![format!(
                "note: whether all tasks are linked is not known: cargo metadata failed\n{why}"
            )];
        }
    };
    let libraries = libraries(artifacts, &graph);
    let mut warnings = Vec::new();
    let mut lists: BTreeMap<&str, Ignore> = BTreeMap::new();
    for program in programs {
        let package = program.artifact.package_id.as_str();
        let list = lists.entry(package).or_insert_with(|| {
            let (list, complaint) = graph.ignore(package);
            warnings.extend(complaint);
            list
        });
        warnings.extend(unlinked(program, &libraries, &graph, list));
    }
    warnings
}

fn unlinked(
    program: &Program<'_>,
    libraries: &BTreeMap<&str, Tasks<'_>>,
    graph: &Graph,
    list: &Ignore,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let own = program.artifact.package_id.as_str();
    let target = program.artifact.target.name.as_str();
    let present: BTreeSet<String> = program.manifest.tasks().iter().map(Entry::place).collect();
    let reachable = graph.reachable(own);
    for (&id, library) in libraries {
        if !reachable.contains(id) || list.has(target, graph.name(id)) {
            continue;
        }
        // One present task shows that the crate is linked: its other tasks are not in this build
        // of it.
        let mut places = library.entries.iter().map(Entry::place);
        if places.any(|place| present.contains(&place)) {
            continue;
        }
        let names: BTreeSet<&str> = library.entries.iter().map(Entry::name).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let (mention, place) = if id == own {
            (library.name.replace('-', "_"), target)
        } else {
            graph.mention(id, own, target, &reachable)
        };
        let (package, names) = (graph.name(id), names.join(", "));
        warnings.push(match library.file {
            Library::Linked(_) => format!(
                "warning: tasks of `{package}` are not linked into `{target}`: {names}\n  \
                 help: nothing in `{place}` mentions `{mention}`: add `use {mention} as _;` to its \
                 root, drop the dependency, or name it in `[package.metadata.bgtask] ignore`"
            ),
            Library::Loaded(file) => format!(
                "warning: tasks of `{package}` are in a dynamic library, not in `{target}`: {names}\n  \
                 help: a run that loads it registers them, and only `bgtask manifest {}` lists \
                 them; with `crate-type = [\"lib\"]` they are in the program",
                file.display()
            ),
        });
    }
    warnings
}

/// The libraries that hold tasks, by their package's id. Only those of packages that need bgtask
/// are read. With LTO their code is not native yet, and no task is found in it.
fn libraries<'a>(artifacts: &'a [Artifact], graph: &Graph) -> BTreeMap<&'a str, Tasks<'a>> {
    let mut libraries = BTreeMap::new();
    for artifact in artifacts {
        let id = artifact.package_id.as_str();
        let Some(file) = artifact.library().filter(|_| graph.needs_bgtask(id)) else {
            continue;
        };
        let (Library::Linked(path) | Library::Loaded(path)) = file;
        let entries = tasks_of(path);
        if entries.is_empty() {
            continue;
        }
        let tasks = libraries.entry(id).or_insert_with(|| Tasks {
            name: &artifact.target.name,
            file,
            entries: Vec::new(),
        });
        tasks.entries.extend(entries);
    }
    libraries
}

fn tasks_of(path: &Path) -> Vec<Entry> {
    read_executable(path).map_or_else(|_| Vec::new(), |manifest| manifest.tasks().to_vec())
}
