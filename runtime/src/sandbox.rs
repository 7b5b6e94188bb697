//! The paths that a process may use, held by the kernel: landlock
//! (<https://docs.kernel.org/userspace-api/landlock.html>).

/// What every program needs beside what its tasks declare: what for, and the paths, which may be
/// read and executed. The table in `guide/process.md` is the same.
#[cfg(any(target_os = "linux", test))]
pub(crate) const READABLE: &[(&str, &[&str])] = &[
    (
        "shared libraries",
        &[
            "/lib",
            "/lib32",
            "/lib64",
            "/usr/lib",
            "/usr/lib32",
            "/usr/lib64",
            "/usr/local/lib",
            "/nix/store",
            "/etc/ld.so.cache",
        ],
    ),
    ("the process itself", &["/proc/self"]),
    (
        "time zones and languages",
        &["/etc/localtime", "/usr/share/zoneinfo", "/usr/share/locale"],
    ),
    (
        "names of hosts and users",
        &[
            "/etc/resolv.conf",
            "/run/systemd/resolve",
            "/etc/hosts",
            "/etc/host.conf",
            "/etc/gai.conf",
            "/etc/nsswitch.conf",
            "/etc/services",
            "/etc/protocols",
            "/etc/passwd",
            "/etc/group",
        ],
    ),
    (
        "certificates",
        &[
            "/etc/ssl/certs",
            "/etc/ssl/cert.pem",
            "/etc/ssl/openssl.cnf",
            "/etc/pki/tls/certs",
            "/etc/pki/ca-trust",
            "/etc/ca-certificates",
            "/usr/share/ca-certificates",
            "/usr/local/share/ca-certificates",
        ],
    ),
];

/// As [`READABLE`], for what may be read and written.
#[cfg(any(target_os = "linux", test))]
pub(crate) const WRITABLE: &[(&str, &[&str])] = &[(
    "devices",
    &[
        "/dev/null",
        "/dev/zero",
        "/dev/full",
        "/dev/random",
        "/dev/urandom",
    ],
)];

/// Whether the kernel can hold a process to its paths.
#[cfg(target_os = "linux")]
pub(crate) fn is_supported() -> bool {
    linux::ruleset().is_ok()
}

/// Whether the kernel can hold a process to its paths.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_supported() -> bool {
    false
}

#[cfg(target_os = "linux")]
pub(crate) use linux::enter;

/// # Errors
/// Always: such tasks are refused here before a process is started.
#[cfg(not(target_os = "linux"))]
pub(crate) fn enter(_read: &[String], _write: &[String]) -> Result<(), String> {
    Err("this system has no sandbox".to_owned())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        fs,
        path::{Path, PathBuf},
    };

    use landlock::{
        ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
        RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    };

    use super::{READABLE, WRITABLE};

    /// What has to be there, Linux 6.2: before it, a file could be emptied from outside its paths.
    const LEAST: ABI = ABI::V3;
    /// What is added where it is there, Linux 6.10: commands to devices.
    const BEST: ABI = ABI::V5;

    /// # Errors
    /// The kernel cannot do it.
    pub(super) fn ruleset() -> Result<RulesetCreated, RulesetError> {
        Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(LEAST))?
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(BEST))?
            .create()
    }

    /// Holds this thread, and all threads and processes that come from it, to these paths, for
    /// good. `~` is the user's home.
    ///
    /// # Errors
    /// Why it cannot; the process must not go on then. It has to be the only thread.
    pub(crate) fn enter(read: &[String], write: &[String]) -> Result<(), String> {
        refuse_threads()?;
        let rules = rules(read, write)?;
        let enter = || {
            let mut ruleset = ruleset()?;
            for rule in rules {
                ruleset = ruleset.add_rule(rule)?;
            }
            ruleset.restrict_self()
        };
        enter()
            .map(drop)
            .map_err(|error| format!("the sandbox cannot be entered: {error}"))
    }

    /// Another thread would stay outside.
    fn refuse_threads() -> Result<(), String> {
        let threads = fs::read_dir("/proc/self/task").map_err(|error| error.to_string())?;
        match threads.count() {
            1 => Ok(()),
            _ => Err("a thread that started before `main` would not be in the sandbox".to_owned()),
        }
    }

    fn rules(read: &[String], write: &[String]) -> Result<Vec<PathBeneath<PathFd>>, String> {
        let (reading, writing) = (AccessFs::from_read(BEST), AccessFs::from_all(BEST));
        let mut rules = Vec::new();
        let all = |table: &'static [(&str, &[&str])]| table.iter().flat_map(|(_, paths)| *paths);
        let program = std::env::current_exe().ok();
        let program = program.iter().map(|path| (path.as_path(), reading));
        let least = all(READABLE)
            .map(|path| (Path::new(path), reading))
            .chain(all(WRITABLE).map(|path| (Path::new(path), writing)));
        for (path, rights) in least.chain(program) {
            // No system has all of them.
            rules.extend(beneath(path, rights).ok());
        }
        for (paths, rights) in [(read, reading), (write, writing)] {
            for path in paths {
                let rule = beneath(&at_home(path)?, rights);
                rules.push(rule.map_err(|error| format!("the sandbox cannot have it: {error}"))?);
            }
        }
        Ok(rules)
    }

    fn beneath(
        path: &Path,
        rights: BitFlags<AccessFs>,
    ) -> Result<PathBeneath<PathFd>, landlock::PathFdError> {
        let place = PathFd::new(path)?;
        let rights = if path.is_dir() {
            rights
        } else {
            rights & AccessFs::from_file(BEST)
        };
        Ok(PathBeneath::new(place, rights))
    }

    fn at_home(path: &str) -> Result<PathBuf, String> {
        let Some(rest) = path.strip_prefix('~') else {
            return Ok(PathBuf::from(path));
        };
        match std::env::home_dir() {
            Some(home) if home.is_absolute() => Ok(home.join(rest.trim_start_matches('/'))),
            _ => Err(format!(
                "there is no home for the path `{path}` of the sandbox"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{READABLE, WRITABLE};

    #[test]
    fn the_guide_lists_the_same_paths() {
        let rows = |table: &[(&str, &[&str])], how: &str| {
            let row = |(purpose, paths): &(&str, &[&str])| {
                let paths: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
                format!("| {purpose} | {} | {how} |", paths.join(", "))
            };
            table.iter().map(row).collect::<Vec<_>>()
        };
        let rows = [rows(READABLE, "read"), rows(WRITABLE, "read and write")].concat();
        let page = include_str!("guide/process.md");
        let table = page.split_once("| what for | paths | may |\n|---|---|---|\n");
        let listed: Vec<&str> = table
            .expect("a table")
            .1
            .lines()
            .take_while(|line| line.starts_with('|'))
            .collect();
        assert_eq!(listed, rows);
    }
}
