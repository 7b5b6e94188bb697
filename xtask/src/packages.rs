//! What the tests need of the system.

use std::process::{Command, Stdio};

/// A Debian package, why it is needed, and a command that works where it is installed.
struct Package {
    name: &'static str,
    why: &'static str,
    probe: &'static [&'static str],
}

const PACKAGES: [Package; 12] = [
    Package {
        name: "dbus",
        why: "a message bus of the tests' own, for what the system says over D-Bus",
        probe: &["dbus-daemon", "--version"],
    },
    Package {
        name: "python3-dbusmock",
        why: "stands in for the power, session and network services on that bus",
        // Debian's own Python, which is not always the first one in the path.
        probe: &["/usr/bin/python3", "-c", "import dbusmock"],
    },
    Package {
        name: "network-manager",
        why: "the real one, in a namespace: what it says of its own internet",
        probe: &["/usr/sbin/NetworkManager", "--version"],
    },
    Package {
        name: "upower",
        why: "the real one, with a plug and a battery of a test bed",
        probe: &["/usr/libexec/upowerd", "--help"],
    },
    Package {
        name: "umockdev",
        why: "that test bed",
        probe: &["umockdev-wrapper", "true"],
    },
    Package {
        name: "gir1.2-umockdev-1.0",
        why: "how it is told about",
        probe: &[
            "/usr/bin/python3",
            "-c",
            "import gi; gi.require_version('UMockdev', '1.0')",
        ],
    },
    Package {
        name: "iproute2",
        why: "makes and changes network links in a namespace of the tests' own",
        probe: &["ip", "-Version"],
    },
    Package {
        name: "systemd",
        why: "starts an app when somebody calls at a socket of its own",
        probe: &["systemd-socket-activate", "--version"],
    },
    Package {
        name: "procps",
        why: "looks at the processes that hosts leave, or must not leave",
        probe: &["ps", "--version"],
    },
    Package {
        name: "strace",
        why: "records what a program syncs, to try the disks that a power cut could leave",
        probe: &["strace", "--version"],
    },
    Package {
        name: "g++",
        why: "compiles libFuzzer, which tries hostile input",
        probe: &["c++", "--version"],
    },
    Package {
        name: "binutils",
        why: "strips a program whose manifest must still be readable",
        probe: &["strip", "--version"],
    },
];

/// Sees that all packages are there, and installs those that are not where that is allowed.
pub(crate) fn provide() -> Result<(), String> {
    let missing: Vec<&Package> = PACKAGES
        .iter()
        .filter(|package| !works(package.probe))
        .collect();
    for package in &missing {
        println!("missing: {} ({})", package.name, package.why);
    }
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    let advice = format!(
        "install what is missing: sudo apt-get install {} (Debian's names)",
        names.join(" ")
    );
    if !works(&["apt-get", "--version"]) {
        return Err(advice);
    }
    let rights: &[&str] = if is_root() {
        &[]
    } else if works(&["sudo", "--non-interactive", "true"]) {
        &["sudo", "--non-interactive"]
    } else {
        return Err(advice);
    };
    let install = [
        &["apt-get", "install", "--yes", "--no-install-recommends"],
        &names[..],
    ]
    .concat();
    // An old list of packages is the usual reason for a failure; a fresh one takes a while.
    let installed =
        apt(rights, &install) || (apt(rights, &["apt-get", "update"]) && apt(rights, &install));
    if !installed {
        return Err(format!("the packages could not be installed; {advice}"));
    }
    match missing.iter().find(|package| !works(package.probe)) {
        None => Ok(()),
        Some(package) => Err(format!(
            "`{}` is installed, and `{}` does not work",
            package.name,
            package.probe.join(" ")
        )),
    }
}

fn apt(rights: &[&str], arguments: &[&str]) -> bool {
    // It asks nothing, and starts none of the services: the tests have their own.
    let quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "SYSTEMD_OFFLINE=1"];
    let words = [rights, &quiet, arguments].concat();
    println!("$ {}", words.join(" "));
    command(&words).is_some_and(|mut command| command.status().is_ok_and(|status| status.success()))
}

fn works(words: &[&str]) -> bool {
    command(words).is_some_and(|mut command| {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    })
}

fn command(words: &[&str]) -> Option<Command> {
    let (program, arguments) = words.split_first()?;
    let mut command = Command::new(program);
    command.args(arguments);
    Some(command)
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}
