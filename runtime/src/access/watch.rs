//! Hears when a policy file changes.
//!
//! Directories are watched and not files: who replaces a file by another is not seen by a watch of
//! the file (<https://man7.org/linux/man-pages/man7/inotify.7.html>). Where a directory is missing,
//! the nearest one above it is watched until it is there. Where nothing can be watched nothing is
//! heard, and the files are read at the next request.

use std::time::Duration;

use super::Access;
use crate::clock::{Bell, Clock};

/// Editors move the old file away before the new one is there; between them there is none.
const SETTLE: Duration = Duration::from_millis(100);

impl Access {
    /// Reads the files again whenever one of them changes, for as long as it is polled.
    pub(crate) async fn follow(&self, bell: &Bell, clock: &dyn Clock) {
        loop {
            // Watched first, read then: what happens between is not missed.
            let armed = files::watch(bell, self.files());
            // An error is kept and logged: there is nobody here to tell.
            let _ = self.reread().await;
            armed.rung().await;
            clock.awake(SETTLE).await;
        }
    }
}

#[cfg(target_os = "linux")]
mod files {
    use std::{
        ffi::OsStr,
        mem::MaybeUninit,
        os::{
            fd::{BorrowedFd, OwnedFd},
            unix::ffi::OsStrExt,
        },
        path::Path,
        sync::Arc,
    };

    use rustix::{
        fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
        io::Errno,
    };
    use tokio::sync::Notify;

    use crate::{
        access::Files,
        clock::{Bell, Keep, Watch},
    };

    /// A watch that rings once there is something to read again.
    pub(super) struct Armed {
        rung: Arc<Notify>,
        /// `None`: nothing is heard.
        _watch: Option<Watch>,
    }

    impl Armed {
        pub(super) async fn rung(&self) {
            self.rung.notified().await;
        }
    }

    /// Which name counts in which watched directory.
    type Names = Vec<(i32, Vec<u8>)>;

    pub(super) fn watch(bell: &Bell, files: &Files) -> Armed {
        let rung = Arc::new(Notify::new());
        let watch = match open(files) {
            Ok((fd, names)) => {
                let rung = Arc::clone(&rung);
                Some(bell.watch(Arc::new(fd), move |fd| read(fd, &names, &rung)))
            }
            Err(error) => {
                tracing::warn!(%error, "the policy of access is not watched");
                None
            }
        };
        Armed {
            rung,
            _watch: watch,
        }
    }

    fn open(files: &Files) -> Result<(OwnedFd, Names), Errno> {
        let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let mut names = Names::new();
        for file in std::iter::once(&files.system).chain(&files.user) {
            if let Some(found) = add(&fd, file)? {
                names.push(found);
            }
        }
        Ok((fd, names))
    }

    /// Watches the directory of a file, or the nearest one above for the name that is missing.
    fn add(fd: &OwnedFd, file: &Path) -> Result<Option<(i32, Vec<u8>)>, Errno> {
        let moved = WatchFlags::MOVE | WatchFlags::DELETE | WatchFlags::ONLYDIR;
        // A new file says something once it is written; a new directory may hold one already.
        let mut flags = moved | WatchFlags::CLOSE_WRITE;
        let mut missing = file;
        while let (Some(dir), Some(name)) = (missing.parent(), missing.file_name()) {
            match inotify::add_watch(fd, dir, flags) {
                Ok(id) => return Ok(Some((id, OsStr::as_bytes(name).to_owned()))),
                Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => {}
                Err(error) => return Err(error),
            }
            missing = dir;
            flags = moved | WatchFlags::CREATE;
        }
        Ok(None)
    }

    fn read(fd: BorrowedFd<'_>, names: &Names, rung: &Notify) -> Keep {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = Reader::new(fd, &mut buffer);
        loop {
            match events.next() {
                Ok(event) => {
                    let lost = ReadFlags::QUEUE_OVERFLOW | ReadFlags::IGNORED;
                    let name = event.file_name().map(std::ffi::CStr::to_bytes);
                    let counts = names
                        .iter()
                        .any(|(id, known)| *id == event.wd() && Some(&**known) == name);
                    if counts || event.events().intersects(lost) {
                        rung.notify_one();
                    }
                }
                Err(Errno::AGAIN) => return Keep::Watching,
                Err(Errno::INTR) => {}
                Err(_) => return Keep::No,
            }
        }
    }
}

/// Nothing is heard on this system.
#[cfg(not(target_os = "linux"))]
mod files {
    use crate::{access::Files, clock::Bell};

    pub(super) struct Armed;

    impl Armed {
        pub(super) async fn rung(&self) {
            std::future::pending().await
        }
    }

    pub(super) fn watch(_: &Bell, _: &Files) -> Armed {
        Armed
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{fs, path::PathBuf, sync::Arc};

    use futures_util::{FutureExt, future::BoxFuture};
    use tempfile::TempDir;

    use super::*;
    use crate::{
        Profile, Result,
        access::{AccessStatus, Files, Grants, Setup, Unasked},
        clock::SystemClock,
    };

    /// Keeps nothing.
    #[derive(Debug)]
    struct Nothing;

    impl Grants for Nothing {
        fn load(&self) -> BoxFuture<'_, Result<Option<String>>> {
            std::future::ready(Ok(None)).boxed()
        }

        fn save(&self, _: String) -> BoxFuture<'_, Result<()>> {
            std::future::ready(Ok(())).boxed()
        }
    }

    /// Far more than any step takes: a test that waits for so long has failed.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn user(dir: &TempDir) -> PathBuf {
        dir.path().join("config/bgtask/access.toml")
    }

    /// Follows the files while `steps` change them.
    async fn following<F: Future<Output = ()>>(
        dir: &TempDir,
        steps: impl FnOnce(tokio::sync::watch::Receiver<AccessStatus>) -> F,
    ) {
        let bell = Bell::start().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::with_bell(&bell).unwrap());
        let access = Access::open(Setup {
            app: "mail".to_owned(),
            version: "1".to_owned(),
            profile: Profile::default(),
            files: Files {
                system: dir.path().join("etc/access.toml"),
                user: Some(user(dir)),
            },
            prompter: Arc::new(Unasked),
            grants: Arc::new(Nothing),
            clock: Arc::clone(&clock),
        });
        let access = access.await.unwrap();
        let steps = tokio::time::timeout(PATIENCE, steps(access.changes()));
        tokio::select! {
            () = access.follow(&bell, &*clock) => unreachable!("it goes on for ever"),
            done = steps => done.expect("each change to be heard"),
        }
    }

    #[tokio::test]
    async fn a_change_is_heard_however_it_is_made() {
        let dir = tempfile::tempdir().unwrap();
        following(&dir, async |mut changes| {
            let mut becomes = async |expected| {
                changes
                    .wait_for(|status| *status == expected)
                    .await
                    .unwrap();
            };
            becomes(AccessStatus::AllowedSubjectToSystemPolicy).await;
            // Neither directory is there yet.
            let file = user(&dir);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "[default]\naccess = \"deny\"").unwrap();
            becomes(AccessStatus::DeniedByUser).await;
            // Written in place.
            fs::write(&file, "[default]\naccess = \"always\"").unwrap();
            becomes(AccessStatus::AlwaysAllowed).await;
            // Replaced.
            let other = file.with_extension("new");
            fs::write(&other, "[default]\naccess = \"ask\"").unwrap();
            fs::rename(&other, &file).unwrap();
            becomes(AccessStatus::Unspecified).await;
            // Removed.
            fs::remove_file(&file).unwrap();
            becomes(AccessStatus::AllowedSubjectToSystemPolicy).await;
            // The administrator's too.
            fs::create_dir(dir.path().join("etc")).unwrap();
            let system = dir.path().join("etc/access.toml");
            fs::write(system, "[default]\naccess = \"deny\"").unwrap();
            becomes(AccessStatus::DeniedBySystemPolicy).await;
            // The directory itself goes.
            fs::remove_dir_all(dir.path().join("etc")).unwrap();
            becomes(AccessStatus::AllowedSubjectToSystemPolicy).await;
        })
        .await;
    }
}
