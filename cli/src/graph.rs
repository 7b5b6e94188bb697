//! Which packages are linked with which, as cargo tells it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    process::Command,
};

use serde::Deserialize;

use crate::{build::cargo, ignore::Ignore};

/// Which package is linked with which.
#[derive(Debug)]
pub(crate) struct Graph {
    packages: BTreeMap<String, Package>,
    /// The dependencies that are linked, each with the name that the source has for it.
    depends: BTreeMap<String, Vec<(String, String)>>,
}

/// The part of `cargo metadata` that is of interest here
/// (<https://doc.rust-lang.org/cargo/commands/cargo-metadata.html>).
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Option<Resolve>,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    #[serde(default)]
    metadata: serde_json::Value,
    #[serde(default)]
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    crate_types: Vec<String>,
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
    name: String,
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
    #[serde(default)]
    target: Option<String>,
}

impl Dependency {
    /// What only builds or tests the package is not linked into it. Cargo leaves out what is for
    /// other platforms only; where one kind of several is for a platform, it does not say whether
    /// for this one, and silence is better than a wrong warning.
    fn is_linked(&self) -> bool {
        let is_normal = |kind: &Kind| kind.kind.is_none();
        let mut kinds = self.dep_kinds.iter();
        self.dep_kinds.iter().all(is_normal)
            || kinds.any(|kind| is_normal(kind) && kind.target.is_none())
    }
}

impl Package {
    /// The compiler loads it; nothing of it is linked into a program.
    fn is_macro(&self) -> bool {
        let mut kinds = self.targets.iter().flat_map(|target| &target.crate_types);
        kinds.any(|kind| kind == "proc-macro")
    }
}

impl Graph {
    pub(crate) fn read(arguments: &[OsString]) -> Result<Self, String> {
        let mut command = Command::new(cargo());
        command
            .args(["metadata", "--format-version=1", "--quiet"])
            .args(shared(arguments));
        // Without a platform cargo would ask for the packages of all of them.
        for platform in platforms(arguments) {
            command.arg("--filter-platform").arg(platform);
        }
        let output = command.output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let metadata = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
        Ok(Self::of(metadata))
    }

    fn of(metadata: Metadata) -> Self {
        let packages = metadata.packages.into_iter();
        let packages: BTreeMap<String, Package> = packages
            .map(|package| (package.id.clone(), package))
            .collect();
        let nodes = metadata.resolve.into_iter().flat_map(|graph| graph.nodes);
        let depends = nodes.map(|node| {
            let linked = node.deps.into_iter().filter(|dep| {
                dep.is_linked() && !packages.get(&dep.pkg).is_some_and(Package::is_macro)
            });
            (node.id, linked.map(|dep| (dep.pkg, dep.name)).collect())
        });
        Self {
            depends: depends.collect(),
            packages,
        }
    }

    fn direct(&self, package: &str) -> &[(String, String)] {
        self.depends.get(package).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn name<'a>(&'a self, package: &'a str) -> &'a str {
        let known = self.packages.get(package);
        known.map_or(package, |package| package.name.as_str())
    }

    pub(crate) fn needs_bgtask(&self, package: &str) -> bool {
        let mut reached = self.reachable(package).into_iter();
        reached.any(|reached| self.name(reached) == "bgtask")
    }

    /// The package and all that is linked with it.
    pub(crate) fn reachable<'a>(&'a self, package: &'a str) -> BTreeSet<&'a str> {
        let mut reached = BTreeSet::new();
        let mut open = vec![package];
        while let Some(next) = open.pop() {
            if reached.insert(next) {
                open.extend(self.direct(next).iter().map(|(id, _)| id.as_str()));
            }
        }
        reached
    }

    /// The name of a dependency in the source that could mention it, and whose source that is:
    /// the program's own where it depends on it itself.
    pub(crate) fn mention<'a>(
        &'a self,
        package: &str,
        own: &'a str,
        target: &'a str,
        reachable: &BTreeSet<&'a str>,
    ) -> (String, &'a str) {
        let sources = std::iter::once(own).chain(reachable.iter().copied());
        for source in sources {
            let direct = self.direct(source);
            if let Some((_, name)) = direct.iter().find(|(id, _)| id == package) {
                let place = if source == own {
                    target
                } else {
                    self.name(source)
                };
                return (name.clone(), place);
            }
        }
        (self.name(package).replace('-', "_"), target)
    }

    /// What the package does not want to be warned of, or what is wrong with how it says so.
    pub(crate) fn ignore(&self, package: &str) -> (Ignore, Option<String>) {
        let table = self
            .packages
            .get(package)
            .and_then(|package| package.metadata.get("bgtask"));
        let Some(table) = table else {
            return (Ignore::default(), None);
        };
        let name = self.name(package);
        match Ignore::read(table) {
            Ok(list) => {
                let reachable = self.reachable(package);
                let known = reachable.iter().map(|id| self.name(id));
                let complaint = list.unknown(known).map(|unknown| {
                    format!(
                        "warning: `[package.metadata.bgtask] ignore` of `{name}` names \
                         `{unknown}`, and no program of `{name}` depends on that\n  \
                         help: leave it out, or write the package's name as `cargo tree` shows it"
                    )
                });
                (list, complaint)
            }
            Err(error) => {
                let complaint = format!(
                    "warning: `[package.metadata.bgtask]` of `{name}` is not understood: {error}\n  \
                     help: {}",
                    Ignore::FORM
                );
                (Ignore::default(), Some(complaint))
            }
        }
    }
}

/// The platforms that are built for.
fn platforms(arguments: &[OsString]) -> Vec<OsString> {
    let mut platforms = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy();
        if text == "--target" {
            platforms.extend(rest.next().cloned());
        } else if let Some(platform) = text.strip_prefix("--target=") {
            platforms.push(platform.into());
        }
    }
    if platforms.is_empty() {
        platforms.extend(std::env::var_os("CARGO_BUILD_TARGET"));
    }
    // What macros and build scripts depend on is of the machine that builds.
    platforms.extend(host());
    platforms
}

/// The platform that cargo itself is of.
fn host() -> Option<OsString> {
    let output = Command::new(cargo()).arg("-vV").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "))?;
    Some(host.into())
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

    fn graph() -> Graph {
        let dep = |id: &str, name: &str, kind: serde_json::Value| serde_json::json!({ "pkg": id, "name": name, "dep_kinds": [{ "kind": kind }] });
        let package = |id: &str, kind: &str| serde_json::json!({ "id": id, "name": id.split(' ').next(), "metadata": null, "targets": [{ "crate_types": [kind] }] });
        let metadata = serde_json::json!({
            "packages": [
                package("app 1", "bin"), package("the-lib 1", "lib"), package("tool 1", "lib"),
                package("derive 1", "proc-macro"), package("deep 1", "lib"),
                package("bgtask 1", "lib"),
            ],
            "resolve": { "nodes": [
                { "id": "app 1", "deps": [
                    dep("the-lib 1", "renamed", ().into()),
                    dep("tool 1", "tool", "build".into()),
                    dep("derive 1", "derive", ().into()),
                ] },
                { "id": "derive 1", "deps": [dep("tool 1", "tool", ().into())] },
                { "id": "the-lib 1", "deps": [
                    dep("deep 1", "deep", ().into()), dep("app 1", "app", "dev".into()),
                ] },
                { "id": "deep 1", "deps": [dep("bgtask 1", "bgtask", ().into())] },
            ] },
        });
        Graph::of(serde_json::from_value(metadata).unwrap())
    }

    #[test]
    fn what_only_builds_a_package_is_not_reached() {
        let graph = graph();
        let reached: Vec<&str> = graph.reachable("app 1").into_iter().collect();
        assert_eq!(reached, ["app 1", "bgtask 1", "deep 1", "the-lib 1"]);
        assert!(graph.needs_bgtask("the-lib 1"));
        assert!(!graph.needs_bgtask("tool 1"));
    }

    #[test]
    fn a_dependency_is_mentioned_by_its_name_in_the_source() {
        let graph = graph();
        let reachable = graph.reachable("app 1");
        let mention = |package| graph.mention(package, "app 1", "second", &reachable);
        assert_eq!(mention("the-lib 1"), ("renamed".to_owned(), "second"));
        assert_eq!(mention("deep 1"), ("deep".to_owned(), "the-lib"));
    }

    #[test]
    fn the_platforms_are_those_built_for_and_the_own() {
        let words = ["--target", "a", "--release", "--target=b"].map(OsString::from);
        assert_eq!(platforms(&words)[..2], ["a", "b"]);
        assert_eq!(platforms(&words).len(), 3);
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
