//! The kernel's real messages, where the user may ask for them, and hostile bytes.

use std::{fs, os::fd::AsFd};

use jiff::Timestamp;
use proptest::prelude::*;
use rustix::net::{SendFlags, getsockname, netlink::SocketAddrNetlink, sendto};
use tokio::sync::mpsc;

use super::*;
use crate::{
    clock::ManualClock,
    monitor::{
        Change,
        sources::{self, Surroundings},
    },
};

const MESSAGE: &[u8] = b"remove@/devices/pci0/usb1/1-4\0ACTION=remove\0\
    DEVPATH=/devices/pci0/usb1/1-4\0SUBSYSTEM=usb\0DEVNAME=bus/usb/001/004\0\
    DEVTYPE=usb_device\0SEQNUM=4711\0";

/// Has the kernel tell of a device: only root may.
const UEVENT: &str = "/sys/class/mem/null/uevent";

fn synthesize(action: &str, name: &str) {
    let uuid = "01234567-89ab-cdef-0123-456789abcdef";
    fs::write(UEVENT, format!("{action} {uuid} NAME={name}")).expect("told");
}

/// Whether the kernel can be asked.
fn may_ask() -> bool {
    rustix::process::geteuid().is_root() && fs::metadata(UEVENT).is_ok()
}

fn filter(trigger: &str) -> Filter {
    match trigger.parse() {
        Ok(bgtask_model::Trigger::Device { changes, subsystem }) => Filter { changes, subsystem },
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_of_the_kernel_is_read() {
    let event = parse(MESSAGE).expect("an event");
    assert_eq!(event.action, DeviceAction::Remove);
    assert_eq!(event.subsystem, "usb");
    assert_eq!(event.devpath, "/devices/pci0/usb1/1-4");
    assert_eq!(event.devname.as_deref(), Some("bus/usb/001/004"));
    assert_eq!(event.properties["DEVTYPE"], "usb_device");
    assert_eq!(event.properties.len(), 6);

    let of_udev = b"libudev\0ACTION=add\0SUBSYSTEM=usb\0DEVPATH=/d\0";
    assert_eq!(parse(of_udev), None);
    assert_eq!(parse(b"add@/d\0ACTION=add\0DEVPATH=/d\0"), None);
    assert_eq!(parse(b""), None);
}

#[test]
fn actions_are_of_three_kinds_and_filtered() {
    let of = |action: &str| {
        let text = format!("{action}@/d\0ACTION={action}\0DEVPATH=/d\0SUBSYSTEM=usb\0");
        parse(text.as_bytes()).expect("an event")
    };
    let comes = filter("device(add | remove, subsystem = \"usb\")");
    let changes = filter("device(update)");
    for action in ["change", "move", "bind", "unbind", "online", "offline"] {
        assert_eq!(of(action).action, DeviceAction::Update);
        assert!(
            changes.takes(&of(action)) && !comes.takes(&of(action)),
            "{action}"
        );
    }
    assert!(comes.takes(&of("add")) && comes.takes(&of("remove")));
    assert!(!changes.takes(&of("add")));
    assert!(!filter("device(add, subsystem = \"block\")").takes(&of("add")));
}

proptest! {
    #[test]
    fn hostile_bytes_are_no_event_or_a_bounded_one(
        start in prop::sample::select(vec![&b""[..], b"add@/d\0", &MESSAGE[..40], MESSAGE]),
        rest in prop::collection::vec(any::<u8>(), 0..2048),
    ) {
        let message = [start, &rest].concat();
        if let Some(event) = parse(&message) {
            let read: usize = event.properties.iter().map(|(key, value)| key.len() + value.len()).sum();
            // A byte that is no text becomes three.
            prop_assert!(read <= 3 * message.len());
            prop_assert!(message.contains(&b'@'));
        }
    }
}

#[tokio::test]
async fn the_kernel_is_heard_and_a_burst_is_told_at_once() {
    if !may_ask() {
        return;
    }
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let (changes, mut told) = mpsc::unbounded_channel();
    let (sources, serve) = sources::start(Surroundings {
        home: None,
        clock: clock.clone(),
        bell: Some(Bell::start().expect("a thread")),
        changes,
        folders: Default::default(),
    });
    tokio::spawn(serve);
    let trigger = "device(add | update, subsystem = \"mem\")"
        .parse()
        .expect("a trigger");
    sources.want([trigger].into()).await;
    synthesize("add", "one");
    synthesize("remove", "two");
    synthesize("change", "three");
    // Other tests ask the kernel, too.
    let mut names = Vec::new();
    while names.len() < 2 {
        tokio::select! {
            change = told.recv() => {
                let Some(Change::Raised { details, .. }) = change else {
                    panic!("told {change:?}");
                };
                let device = details.device.expect("changes of devices");
                assert!(!device.overflow);
                let name = |event: DeviceEvent| event.properties.get("SYNTH_ARG_NAME").cloned();
                names.extend(device.changes.into_iter().filter_map(name));
                names.retain(|name| ["one", "two", "three"].contains(&name.as_str()));
            }
            () = clock.waiting(2) => {
                clock.advance(burst::QUIET);
                tokio::task::yield_now().await;
            }
        }
    }
    assert_eq!(names, ["one", "three"]);
}

#[tokio::test]
async fn what_was_told_while_nobody_heard_is_an_overflow() {
    let (changes, mut told) = mpsc::unbounded_channel();
    let teller = Teller::of("device(add)".parse().expect("a trigger"), changes);
    // It was told that it listens; then it failed, and here it is started again.
    teller.listens();
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let bell = Bell::start().expect("a thread");
    let filter = filter("device(add, subsystem = \"no such\")");
    let watches = tokio::spawn(watch(filter, Some(bell), clock.clone(), teller));
    clock.waiting(2).await;
    clock.advance(burst::QUIET);
    let Some(Change::Raised { details, .. }) = told.recv().await else {
        panic!("nothing is told");
    };
    assert!(details.device.expect("changes of devices").overflow);
    watches.abort();
}

#[test]
fn only_the_kernel_is_believed() {
    if !may_ask() {
        return;
    }
    let socket = uevent::open().expect("a socket");
    let port = getsockname(&socket).expect("an address");
    let port = SocketAddrNetlink::try_from(port).expect("netlink");
    let liar = uevent::open().expect("a socket");
    let lie = b"add@/d\0ACTION=add\0DEVPATH=/d\0SUBSYSTEM=mem\0SYNTH_ARG_NAME=lie\0";
    let to = SocketAddrNetlink::new(port.pid(), 0);
    sendto(&liar, lie, SendFlags::empty(), &to).expect("sent");
    synthesize("add", "truth");
    let heard = Heard::default();
    assert_eq!(
        hear(socket.as_fd(), &filter("device(add)"), &heard),
        Keep::Watching
    );
    let changes = heard.changes().clone().expect("no failure");
    let names = changes
        .changes
        .iter()
        .map(|event| event.properties.get("SYNTH_ARG_NAME"));
    let names: Vec<_> = names.flatten().collect();
    assert!(names.contains(&&"truth".to_owned()), "{names:?}");
    assert!(!names.contains(&&"lie".to_owned()), "{names:?}");
}

#[test]
fn an_overrun_is_told_as_overflow() {
    if !may_ask() {
        return;
    }
    let socket = uevent::open().expect("a socket");
    rustix::net::sockopt::set_socket_recv_buffer_size(&socket, 1).expect("set");
    for _ in 0..100 {
        synthesize("change", "many");
    }
    let heard = Heard::default();
    hear(socket.as_fd(), &filter("device(update)"), &heard);
    assert!(heard.changes().clone().expect("no failure").overflow);
}
