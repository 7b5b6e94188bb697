//! What an app and its hosts say to each other.
//!
//! Both are the same build of the same program; both check that before anything else is said.

use std::{io, time::Duration};

use bgtask_model::{ProcessSettings, Sandbox};
use serde::{Deserialize, Serialize};

use crate::{
    CancelReason, Details, Outcome, Progress, RunId, SocketKind,
    task::{Stage, content},
};

/// Changes whenever a message changes.
pub(crate) const PROTOCOL: u32 = 7;

/// From the app to its host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ToHost {
    /// The first message.
    Hello {
        protocol: u32,
        build: BuildId,
        app_id: String,
        group: String,
        /// Comes back in the host's hello.
        nonce: String,
        /// The threads on which bodies run. The app knows how many processors there are; a host
        /// would read the files of its control groups for that, in each cold start.
        workers: usize,
        settings: OwnSettings,
    },
    /// Start a body.
    Start(Box<Work>),
    /// Ask a run to stop; what `grace` has not ended is killed.
    Cancel {
        run: RunId,
        reason: CancelReason,
        grace: Duration,
    },
    /// The answer to [`FromHost::Read`].
    Data { ask: u64, kept: Kept },
    /// Exit once nothing runs.
    Shutdown,
}

/// From a host to its app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FromHost {
    /// The first message.
    Hello {
        protocol: u32,
        build: BuildId,
        pid: u32,
        nonce: String,
    },
    /// It will not serve: before its own hello because it heard none, and after it because it
    /// could not take its settings.
    Refused { error: String },
    /// `setup` went well; runs may be started.
    Ready,
    /// `setup` failed; no body will run here.
    SetupFailed { error: String },
    /// The body is about to be called.
    Started { run: RunId },
    /// The last progress of a run.
    Progress { run: RunId, progress: Progress },
    /// A run neither worked nor reported progress for the time in its [`Work::idle`]. Told again
    /// after each such time, until the run does something.
    Idle { run: RunId },
    /// What is kept of the app's data under this key?
    Read { ask: u64, key: String },
    /// What a run that completes changes of the app's data; its end follows.
    Staged { run: RunId, changes: Stage },
    /// The socket that a run gives back comes with the message; its end follows.
    GaveBack {
        run: RunId,
        kind: SocketKind,
        #[serde(with = "content")]
        context: Vec<u8>,
        keep_alive: Option<Duration>,
    },
    /// The end of a run, and the CPU time of its body if it is metered.
    Ended {
        run: RunId,
        outcome: Outcome,
        cpu: Option<Duration>,
    },
}

/// What the app has under a key of its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kept {
    Value(serde_json::Value),
    Nothing,
    /// It cannot be read: why.
    Unreadable(String),
}

/// The settings that a process makes for itself, before anything else runs in it. The others are
/// made from outside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct OwnSettings {
    pub(crate) nice: Option<i8>,
    pub(crate) sandbox: Option<Paths>,
}

/// The paths of a sandbox, as its declaration has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Paths {
    pub(crate) read: Vec<String>,
    pub(crate) write: Vec<String>,
}

impl From<&ProcessSettings> for OwnSettings {
    fn from(settings: &ProcessSettings) -> Self {
        let paths = |sandbox: &Sandbox| Paths {
            read: sandbox.read.clone(),
            write: sandbox.write.clone(),
        };
        Self {
            nice: settings.nice,
            sandbox: settings.sandbox.as_ref().map(paths),
        }
    }
}

/// What a host has to know of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) run: RunId,
    pub(crate) task: String,
    /// The linked task whose body runs.
    pub(crate) entry: String,
    pub(crate) attempt: u32,
    pub(crate) fence: u64,
    pub(crate) details: Details,
    /// The time without work and without progress that is told as [`FromHost::Idle`].
    pub(crate) idle: Option<Duration>,
    /// The longest result that is taken, in bytes of JSON.
    pub(crate) max_result: usize,
    /// Its CPU time is told with its end.
    pub(crate) metered: bool,
    /// The socket that fired it comes with the message: what it is.
    pub(crate) socket: Option<SocketKind>,
}

/// Tells builds of a program apart: the identity of the executable's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct BuildId(pub(crate) String);

impl BuildId {
    /// Of this process. Read afresh each time: a file that was merely touched is the same build,
    /// and both sides then see its new time.
    pub(crate) fn of_this_process() -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;

        // The link leads to the running file even when its path names a newer one by now.
        let file = if cfg!(target_os = "linux") {
            std::fs::metadata("/proc/self/exe")?
        } else {
            std::fs::metadata(std::env::current_exe()?)?
        };
        Ok(Self(format!(
            "{:x}.{:x}.{:x}.{:x}.{:x}",
            file.dev(),
            file.ino(),
            file.size(),
            file.mtime(),
            file.mtime_nsec()
        )))
    }
}

/// Whether two hellos fit; the text says what does not.
pub(crate) fn agree(
    (our_protocol, our_build): (u32, &BuildId),
    (protocol, build): (u32, &BuildId),
) -> Result<(), String> {
    if protocol != our_protocol {
        Err(format!(
            "it speaks version {protocol} of the protocol, not {our_protocol}"
        ))
    } else if build != our_build {
        Err("it is another build of the program".to_owned())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixStream;

    use super::*;
    use crate::{ActivationId, KillCause, Suppression, ipc::frame::Frames};

    async fn there<T>(message: &T) -> T
    where
        T: Serialize + serde::de::DeserializeOwned,
    {
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        let mut ours = Frames::<T, T>::new(ours);
        let mut theirs = Frames::<T, T>::new(theirs);
        ours.send(message).await.expect("sent");
        theirs
            .receive()
            .await
            .expect("received")
            .expect("a message")
    }

    #[tokio::test]
    async fn every_outcome_arrives_as_it_was() {
        let outcomes = [
            Outcome::Completed {
                value: serde_json::json!({"a": [1, -2, 3.5, null, "x", u64::MAX]}),
            },
            Outcome::Failed {
                error: "no".to_owned(),
            },
            Outcome::Cancelled {
                reason: CancelReason::EnergySaver,
                overrun: true,
            },
            Outcome::Killed {
                cause: KillCause::WallTime {
                    limit: Duration::from_millis(1500),
                    grace: Duration::ZERO,
                },
            },
            Outcome::Suppressed {
                why: Suppression::Superseded {
                    by: Some(ActivationId::now()),
                },
            },
        ];
        for outcome in outcomes {
            let message = FromHost::Ended {
                run: RunId::now(),
                outcome,
                cpu: Some(Duration::from_nanos(1_234_567_890)),
            };
            assert_eq!(there(&message).await, message);
        }
    }

    #[tokio::test]
    async fn a_start_arrives_with_all_its_details() {
        let message = ToHost::Start(Box::new(Work {
            run: RunId::now(),
            task: "sync_mail".to_owned(),
            entry: "sync".to_owned(),
            attempt: 2,
            fence: u64::MAX,
            details: Details {
                fired: "2026-01-02T03:04:05.678Z".parse().expect("a time"),
                scheduled: Some("2026-01-02T03:04:05Z".parse().expect("a time")),
                arguments: Some(serde_json::json!({"files": ["a", "b"]})),
                network: Some(crate::NetworkDetails {
                    source: "netlink".to_owned(),
                    guess: true,
                    connectivity_changed: true,
                    ..crate::NetworkDetails::default()
                }),
                files: Some(crate::FileChanges {
                    changes: vec![crate::FileChange {
                        path: "/b".into(),
                        kind: crate::FileChangeKind::Renamed { from: "/a".into() },
                    }],
                    overflow: true,
                }),
                device: Some(crate::DeviceChanges {
                    changes: vec![crate::DeviceEvent {
                        action: crate::DeviceAction::Remove,
                        subsystem: "usb".to_owned(),
                        devpath: "/devices/usb1".to_owned(),
                        devname: Some("sdb".to_owned()),
                        properties: [("MAJOR".to_owned(), "8".to_owned())].into(),
                    }],
                    overflow: false,
                }),
                device_use: Some(crate::DeviceDetails {
                    id: "/dev/serial/by-id/watch".into(),
                    path: "/dev/ttyUSB0".into(),
                    expected: Some(Duration::from_millis(1)),
                }),
                push: Some(crate::RawNotification::new([0xff, 0]).on("news")),
                toast: Some(crate::ToastAction {
                    argument: "open:7".to_owned(),
                    toast: crate::ToastId::default(),
                    activation_token: Some("t".to_owned()),
                }),
                service: None,
                socket: Some(serde_json::from_value(serde_json::json!({"id": "chat", "reason": "keep_alive", "context": "c", "listener": "web", "firing": uuid::Uuid::now_v7()})).expect("details")),
            },
            idle: Some(Duration::from_millis(1500)),
            max_result: 1 << 20,
            metered: true,
            socket: Some(SocketKind::Udp),
        }));
        assert_eq!(there(&message).await, message);
    }

    #[tokio::test]
    async fn a_socket_that_is_given_back_arrives() {
        let message = FromHost::GaveBack {
            run: RunId::now(),
            kind: SocketKind::TcpListener,
            context: vec![0xff, 0],
            keep_alive: Some(Duration::from_secs(60)),
        };
        assert_eq!(there(&message).await, message);
    }

    #[tokio::test]
    async fn a_hello_arrives_with_the_settings() {
        let message = ToHost::Hello {
            protocol: PROTOCOL,
            build: BuildId("1".to_owned()),
            app_id: "mail".to_owned(),
            group: "media".to_owned(),
            nonce: "n".to_owned(),
            workers: 2,
            settings: OwnSettings {
                nice: Some(-20),
                sandbox: Some(Paths {
                    read: vec!["/etc".to_owned()],
                    write: Vec::new(),
                }),
            },
        };
        assert_eq!(there(&message).await, message);
    }

    #[test]
    fn other_versions_and_builds_are_told_apart() {
        let ours = BuildId::of_this_process().expect("our executable");
        let other = BuildId("1.2.3.4.5".to_owned());
        assert_eq!(agree((1, &ours), (1, &ours)), Ok(()));
        let version = agree((1, &ours), (2, &ours)).unwrap_err();
        assert!(version.contains("version 2"), "{version}");
        let build = agree((1, &ours), (1, &other)).unwrap_err();
        assert!(build.contains("another build"), "{build}");
    }
}
