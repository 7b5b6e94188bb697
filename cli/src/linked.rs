//! Tasks that were compiled and are in no program, because nothing mentions their crate.
//!
//! The compiler links a dependency only if the source mentions it, and says nothing otherwise
//! (<https://github.com/dtolnay/inventory/issues/7>). The tasks of such a crate are in its `.rlib`
//! and in no executable, which this finds.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use bgtask::manifest::{Manifest, read_executable};
use serde::Deserialize;

use crate::build::{Artifact, cargo};

/// A program, its file and its tasks.
type Program<'a> = (&'a Artifact, &'a PathBuf, Manifest);

/// One text for each dependency of a program whose tasks are not in the program. What cannot be
/// found out gives no warning: the build itself went well.
pub(crate) fn warnings(
    artifacts: &[Artifact],
    programs: &[Program<'_>],
    arguments: &[OsString],
) -> Vec<String> {
    let Some(graph) = Graph::read(arguments) else {
        return Vec::new();
    };
    let mut warnings = Vec::new();
    let libraries = libraries(artifacts, &graph);
    for (artifact, _, manifest) in programs {
        let present: BTreeSet<&str> = functions(manifest).collect();
        let reachable = graph.reachable(&artifact.package_id);
        for (package, library) in &libraries {
            // The package's own library may well hold tasks for another of its programs, but they
            // are just as absent here.
            if !reachable.contains(package) {
                continue;
            }
            let absent: Vec<&str> = library
                .tasks()
                .iter()
                .filter(|task| !present.contains(task.declaration.function.as_str()))
                .map(|task| task.name())
                .collect();
            // One present task shows that the crate is linked; the others are cut on purpose.
            if absent.is_empty() || absent.len() < library.tasks().len() {
                continue;
            }
            let program = &artifact.target.name;
            let name = library.tasks()[0].crate_name.replace('-', "_");
            warnings.push(format!(
                "warning: tasks of `{name}` are not linked into `{program}`: {}\n  \
                 help: nothing in `{program}` mentions `{name}`: add `use {name} as _;` to its \
                 root, or drop the dependency",
                absent.join(", ")
            ));
        }
    }
    warnings
}

fn functions(manifest: &Manifest) -> impl Iterator<Item = &str> {
    let tasks = manifest.tasks().iter();
    tasks.map(|task| task.declaration.function.as_str())
}

/// The libraries that hold tasks, by their package's id. Only those of packages that use bgtask
/// are read.
fn libraries<'a>(artifacts: &'a [Artifact], graph: &Graph) -> BTreeMap<&'a str, Manifest> {
    let mut libraries = BTreeMap::new();
    for artifact in artifacts {
        let id = artifact.package_id.as_str();
        let is_rlib = |path: &&PathBuf| path.extension().is_some_and(|kind| kind == "rlib");
        let Some(path) = artifact.filenames.iter().find(is_rlib) else {
            continue;
        };
        if !graph.uses_bgtask(id) {
            continue;
        }
        if let Some(manifest) = tasks_of(path) {
            libraries.insert(id, manifest);
        }
    }
    libraries
}

fn tasks_of(path: &Path) -> Option<Manifest> {
    read_executable(path)
        .ok()
        .filter(|manifest| !manifest.tasks().is_empty())
}

/// Which package depends on which.
#[derive(Debug)]
struct Graph {
    depends: BTreeMap<String, Vec<String>>,
    bgtask: BTreeSet<String>,
}

/// The part of `cargo metadata` that is of interest here
/// (<https://doc.rust-lang.org/cargo/commands/cargo-metadata.html>).
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Option<Resolve>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

impl Graph {
    fn read(arguments: &[OsString]) -> Option<Self> {
        let output = Command::new(cargo())
            .args(["metadata", "--format-version=1", "--quiet"])
            .args(shared(arguments))
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        Self::of(serde_json::from_slice(&output.stdout).ok()?)
    }

    fn of(metadata: Metadata) -> Option<Self> {
        let bgtask = metadata.packages.into_iter();
        let bgtask = bgtask.filter(|package| package.name == "bgtask");
        let nodes = metadata.resolve?.nodes.into_iter();
        let depends = nodes.map(|node| {
            let deps = node.deps.into_iter();
            // What only builds or tests the package is not linked into it.
            let linked = deps.filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            (node.id, linked.map(|dep| dep.pkg).collect())
        });
        Some(Self {
            bgtask: bgtask.map(|package| package.id).collect(),
            depends: depends.collect(),
        })
    }

    fn direct(&self, package: &str) -> &[String] {
        self.depends.get(package).map_or(&[], Vec::as_slice)
    }

    fn uses_bgtask(&self, package: &str) -> bool {
        let mut direct = self.direct(package).iter();
        direct.any(|dependency| self.bgtask.contains(dependency))
    }

    /// The package and all that it depends on.
    fn reachable<'a>(&'a self, package: &'a str) -> BTreeSet<&'a str> {
        let mut reached = BTreeSet::new();
        let mut open = vec![package];
        while let Some(next) = open.pop() {
            if reached.insert(next) {
                open.extend(self.direct(next).iter().map(String::as_str));
            }
        }
        reached
    }
}

/// The arguments that decide what depends on what.
fn shared(arguments: &[OsString]) -> Vec<&OsString> {
    let mut shared = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy();
        let word = text.split('=').next().unwrap_or_default();
        match word {
            "--manifest-path" | "--features" | "-F" | "--config" => {
                shared.push(argument);
                if !text.contains('=') {
                    shared.extend(rest.next());
                }
            }
            "--all-features" | "--no-default-features" | "--locked" | "--offline" | "--frozen" => {
                shared.push(argument);
            }
            _ => {}
        }
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_builds_a_package_is_not_reached() {
        let dep = |id: &str, kind: serde_json::Value| serde_json::json!({ "pkg": id, "dep_kinds": [{ "kind": kind }] });
        let metadata = serde_json::json!({
            "packages": [
                { "id": "app 1", "name": "app" },
                { "id": "bgtask 1", "name": "bgtask" },
            ],
            "resolve": { "nodes": [
                { "id": "app 1", "deps": [dep("lib 1", ().into()), dep("tool 1", "build".into())] },
                { "id": "lib 1", "deps": [dep("bgtask 1", ().into()), dep("app 1", "dev".into())] },
            ] },
        });
        let graph = Graph::of(serde_json::from_value(metadata).unwrap()).unwrap();
        let reached: Vec<&str> = graph.reachable("app 1").into_iter().collect();
        assert_eq!(reached, ["app 1", "bgtask 1", "lib 1"]);
        assert!(graph.uses_bgtask("lib 1"));
        assert!(!graph.uses_bgtask("app 1"));
    }

    #[test]
    fn features_and_places_are_handed_on() {
        let words = [
            "--release",
            "--features",
            "a b",
            "-p",
            "x",
            "--config=y",
            "--offline",
        ];
        let words = words.map(OsString::from);
        assert_eq!(
            shared(&words),
            ["--features", "a b", "--config=y", "--offline"]
        );
    }
}
