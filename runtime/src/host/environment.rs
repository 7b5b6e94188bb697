//! The environment of a host: a part of the app's, and what its tasks declare.

use std::ffi::{OsStr, OsString};

/// What every host is passed of the app's environment: what for, and the names; `*` at the end
/// stands for any rest. The table in `guide/process.md` is the same.
pub(crate) const PASSED: &[(&str, &[&str])] = &[
    (
        "the user",
        &[
            "HOME",
            "USER",
            "LOGNAME",
            "SHELL",
            "XDG_*",
            "DBUS_SESSION_BUS_ADDRESS",
            "DBUS_SYSTEM_BUS_ADDRESS",
        ],
    ),
    (
        "the language and the time zone",
        &["LANG", "LANGUAGE", "LC_*", "TZ", "TZDIR"],
    ),
    (
        "where programs and libraries are",
        &["PATH", "LD_LIBRARY_PATH", "DYLD_*"],
    ),
    ("where temporary files go", &["TMPDIR"]),
    ("certificates", &["SSL_CERT_FILE", "SSL_CERT_DIR"]),
    (
        "proxies",
        &[
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "FTP_PROXY",
            "ALL_PROXY",
            "NO_PROXY",
            "http_proxy",
            "https_proxy",
            "ftp_proxy",
            "all_proxy",
            "no_proxy",
        ],
    ),
    (
        "logs, backtraces, threads and coverage of Rust programs",
        &[
            "RUST_LOG",
            "RUST_BACKTRACE",
            "RUST_LIB_BACKTRACE",
            "RUST_MIN_STACK",
            "LLVM_PROFILE_FILE",
        ],
    ),
    ("this crate", &["BGTASK_*"]),
];

/// The variables of a host: of the app's those in [`PASSED`] and those that the app `adds` by name,
/// then what its tasks declare.
pub(super) fn of_host(
    apps: impl Iterator<Item = (OsString, OsString)>,
    adds: &[String],
    declared: &[(String, String)],
) -> Vec<(OsString, OsString)> {
    let passed = apps.filter(|(name, _)| {
        let names = PASSED.iter().flat_map(|(_, names)| *names).copied();
        names
            .chain(adds.iter().map(String::as_str))
            .any(|pattern| fits(name, pattern))
    });
    let declared = declared
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    passed.chain(declared).collect()
}

fn fits(name: &OsStr, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.as_encoded_bytes().starts_with(start.as_bytes()),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(apps: &[(&str, &str)], adds: &[&str], declared: &[(&str, &str)]) -> Vec<String> {
        let apps = apps.iter().map(|(name, value)| (name.into(), value.into()));
        let adds: Vec<String> = adds.iter().map(ToString::to_string).collect();
        let declared = declared
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        of_host(apps, &adds, &declared.collect::<Vec<_>>())
            .into_iter()
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .collect()
    }

    #[test]
    fn what_is_not_listed_stays_with_the_app() {
        let apps = [
            ("PATH", "/bin"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("LC_TIME", "C"),
            ("LCD", "x"),
            ("MY_PATH", "x"),
            ("PATHS", "x"),
            ("BGTASK_NO_QUOTA", "1"),
        ];
        assert_eq!(
            of(&apps, &[], &[]),
            ["PATH=/bin", "LC_TIME=C", "BGTASK_NO_QUOTA=1"]
        );
    }

    #[test]
    fn an_app_adds_names_and_beginnings_of_names() {
        let apps = [("DATABASE_URL", "db"), ("PGHOST", "h"), ("DATABASE", "x")];
        assert_eq!(
            of(&apps, &["DATABASE_URL", "PG*"], &[]),
            ["DATABASE_URL=db", "PGHOST=h"]
        );
    }

    #[test]
    fn what_a_task_declares_comes_last_and_so_counts() {
        let apps = [("RUST_LOG", "info"), ("SECRET", "x")];
        assert_eq!(
            of(&apps, &[], &[("RUST_LOG", "debug"), ("SECRET", "own")]),
            ["RUST_LOG=info", "RUST_LOG=debug", "SECRET=own"]
        );
    }

    #[test]
    fn the_guide_lists_the_same_names() {
        let row = |(purpose, names): &(&str, &[&str])| {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("| {purpose} | {} |", names.join(", "))
        };
        let rows: Vec<String> = PASSED.iter().map(row).collect();
        let page = include_str!("../guide/process.md");
        let table = page.split_once("| what for | names |\n|---|---|\n");
        let listed: Vec<&str> = table
            .expect("a table")
            .1
            .lines()
            .take_while(|line| line.starts_with('|'))
            .collect();
        assert_eq!(listed, rows);
    }
}
