//! Against the kernel's own devices: one of memory, and a network interface in a namespace.

use std::{os::fd::AsFd, process::Command, time::Duration};

use rustix::net::{SendFlags, getsockname, netlink::SocketAddrNetlink, sendto};
use tokio::sync::mpsc;

use super::{
    kernel::{self, Heard, word},
    *,
};
use crate::{
    clock::Keep,
    monitor::{bus_bench::missing, uevent},
};

/// Set in the process that runs inside of the namespace.
const INSIDE: &str = "BGTASK_TEST_INSIDE_NAMESPACE";

/// Far more than any step takes: a test that waits for so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

struct Bench {
    presence: Presence,
    changes: mpsc::UnboundedReceiver<Change>,
}

fn bench() -> Bench {
    let (sender, changes) = mpsc::unbounded_channel();
    let presence = Presence::start(Bell::start().expect("a thread"), sender);
    Bench { presence, changes }
}

impl Bench {
    async fn gone(&mut self) -> PathBuf {
        let change = tokio::time::timeout(PATIENCE, self.changes.recv()).await;
        match change.expect("a change in time") {
            Some(Change::DeviceGone(path)) => path,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_device_is_a_node_or_a_folder_of_the_kernels() {
    let resolved = |id: &str| resolve(Path::new(id));
    assert_eq!(resolved("/dev/null").unwrap(), Path::new("/dev/null"));
    let folder = resolved("/sys/class/mem/null").unwrap();
    assert_eq!(folder, Path::new("/sys/devices/virtual/mem/null"));
    for (id, why) in [
        ("/dev/no-such-device", "is not there"),
        ("dev/null", "is not the path of one"),
        ("/dev", "is none"),
        ("/dev/shm", "is none"),
        ("/etc/hostname", "is none"),
        ("/sys/kernel", "is none"),
        ("/sys/devices/virtual/mem/null/dev", "is none"),
        ("/sys/devices/../../etc/hostname", "is none"),
    ] {
        let error = resolved(id).unwrap_err();
        assert_eq!(error.code(), Code::UnknownDevice, "{id}");
        assert!(error.rule().contains(why), "{error}");
    }
}

#[test]
fn a_uevent_names_the_folder_and_the_node() {
    let words =
        b"remove@/devices/pci/usb1/ttyUSB0\0ACTION=remove\0SUBSYSTEM=tty\0DEVNAME=ttyUSB0\0";
    let paths = ["/sys/devices/pci/usb1/ttyUSB0", "/dev/ttyUSB0"].map(PathBuf::from);
    assert_eq!(word(words), Some(Heard::Left(paths.into())));
    let folder = PathBuf::from("/sys/devices/virtual/net/v0");
    assert_eq!(
        word(b"remove@/devices/virtual/net/v0\0ACTION=remove\0"),
        Some(Heard::Left(vec![folder]))
    );
    assert_eq!(
        word(b"move@/devices/virtual/net/v9\0ACTION=move\0"),
        Some(Heard::Look)
    );
    assert_eq!(word(b"add@/devices/virtual/net/v0\0"), None);
    assert_eq!(word(b""), None);
}

#[test]
fn only_the_kernel_is_believed() {
    let socket = uevent::open().unwrap();
    let port = SocketAddrNetlink::try_from(getsockname(&socket).unwrap()).unwrap();
    let liar = uevent::open().unwrap();
    let to = SocketAddrNetlink::new(port.pid(), 0);
    sendto(&liar, b"remove@/lie\0", SendFlags::empty(), &to).unwrap();
    let (heard, mut words) = mpsc::unbounded_channel();
    assert_eq!(kernel::hear(socket.as_fd(), &heard), Keep::Watching);
    // Tests beside this one may have the kernel speak.
    while let Ok(word) = words.try_recv() {
        assert_ne!(word, Heard::Left(vec!["/sys/lie".into()]));
    }
}

#[tokio::test]
async fn a_word_of_the_kernel_is_not_lost_when_another_device_is_used() {
    let [zero, full] = ["zero", "full"].map(|name| Path::new("/sys/class/mem").join(name));
    if !rustix::process::geteuid().is_root() || !zero.join("uevent").is_file() {
        // Only root may have the kernel speak.
        return;
    }
    let [zero, full] = [zero, full].map(|id| resolve(&id).unwrap());
    let mut bench = bench();
    let _zero = bench.presence.take(&zero);
    let never = bench.presence.take(Path::new("/sys/devices/never"));
    assert_eq!(bench.gone().await, Path::new("/sys/devices/never"));
    drop(never);
    tokio::task::yield_now().await;
    // Its folder stays, as it does for some time when a device really leaves.
    fs::write(zero.join("uevent"), "remove").unwrap();
    let _full = bench.presence.take(&full);
    assert_eq!(bench.gone().await, zero);
}

#[tokio::test]
async fn a_node_that_is_removed_has_left() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    for node in [&one, &other] {
        fs::write(node, "").unwrap();
    }
    let mut bench = bench();
    let _one = bench.presence.take(&one);
    let other_in_use = bench.presence.take(&other);
    fs::remove_file(&one).unwrap();
    assert_eq!(bench.gone().await, one);
    // What is no longer in use is not told of.
    drop(other_in_use);
    fs::remove_file(&other).unwrap();
    // What had left before it was taken is told as well.
    let third = folder.path().join("third");
    let _third = bench.presence.take(&third);
    let mut told = bench.gone().await;
    while told == one {
        told = bench.gone().await;
    }
    assert_eq!(told, third);
}

#[test]
fn a_device_that_the_kernel_removes_has_left() {
    if std::env::var_os(INSIDE).is_none() {
        return in_namespace("a_device_that_the_kernel_removes_has_left");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        ip(&["link", "add", "v0", "type", "veth", "peer", "name", "v1"]);
        ip(&["link", "add", "v2", "type", "veth", "peer", "name", "v3"]);
        let [v0, v2, lo] = ["v0", "v2", "lo"].map(|name| {
            let folder = Path::new("/sys/class/net").join(name);
            resolve(&folder).unwrap()
        });
        let mut bench = bench();
        let (_v0, _lo) = (bench.presence.take(&v0), bench.presence.take(&lo));
        // The watch is there once the word of one that never was has come.
        let never = bench.presence.take(Path::new("/sys/devices/never"));
        assert_eq!(bench.gone().await, Path::new("/sys/devices/never"));
        ip(&["link", "del", "v0"]);
        loop {
            let told = bench.gone().await;
            assert_ne!(told, lo, "it is there");
            if told == v0 {
                break;
            }
        }
        drop(never);
        // Under another name it is another device.
        let _v2 = bench.presence.take(&v2);
        ip(&["link", "set", "v2", "name", "v9"]);
        loop {
            let told = bench.gone().await;
            assert_ne!(told, lo, "it is there");
            if told == v2 {
                break;
            }
        }
    });
}

fn ip(arguments: &[&str]) {
    let status = Command::new("ip").args(arguments).status();
    let status = status.unwrap_or_else(|error| missing("iproute2", arguments, &error));
    assert!(status.success(), "{arguments:?}: {status}");
}

/// Runs a test of this module again with a network of its own, and its sysfs.
fn in_namespace(test: &str) {
    let name = module_path!().split_once("::").expect("a crate").1;
    let script = "mount -t sysfs none /sys && exec \"$0\" \"$@\"";
    let command = ["unshare", "--map-root-user", "--net", "--mount"];
    let output = Command::new(command[0])
        .args(&command[1..])
        .args(["sh", "-c", script])
        .arg(std::env::current_exe().expect("a path"))
        .args([&format!("{name}::{test}"), "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap_or_else(|error| missing("util-linux", &command, &error));
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && out.contains("1 passed"),
        "in a namespace (which needs root, or user namespaces for all): {}\n{out}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}
