//! Another build of the program than at the last launch.

use std::{fmt::Write, fs::File, path::Path};

use bgtask_model::{SystemEvent, Trigger};
use object::{Object, ReadCache};

use super::{Broker, log::APP};
use crate::{
    Details, EventKind, Result,
    dirs::fnv1a,
    registry::Registry,
    scheduler::{Input, Raised},
};

/// Where the store keeps the build of the last launch.
const BUILD: &str = "build";

/// Tells builds of the program apart: what its linker wrote for that, or else what its tasks and
/// the versions of their packages are.
pub(super) fn build(registry: &Registry) -> String {
    let executable = if cfg!(target_os = "linux") {
        Ok(Path::new("/proc/self/exe").to_owned())
    } else {
        std::env::current_exe()
    };
    let linked = executable.ok().and_then(|path| id_in(&path));
    linked.unwrap_or_else(|| {
        let entries = registry.tasks().map(|task| task.linked.entry);
        let entries: Vec<_> = entries.map(String::from_utf8_lossy).collect();
        format!("{:x}", fnv1a(&entries.concat()))
    })
}

/// The id that a linker wrote into an executable.
fn id_in(path: &Path) -> Option<String> {
    let cache = ReadCache::new(File::open(path).ok()?);
    let file = object::File::parse(&cache).ok()?;
    let id = match file.build_id() {
        Ok(Some(id)) => id.to_vec(),
        _ => file.mach_uuid().ok()??.to_vec(),
    };
    Some(id.iter().fold(String::new(), |mut text, byte| {
        // A text takes all that is written to it.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

impl Broker {
    /// Fires `servicing_complete` at the first launch of another build, before anything else
    /// starts. A broker that is killed before this is noted fires it again.
    pub(super) async fn serviced(&mut self, build: String) -> Result<()> {
        let before = self.store.meta(BUILD).await?;
        if before.as_ref() == Some(&build) {
            return Ok(());
        }
        if before.is_some() {
            tracing::info!(build, "another build of the program");
            self.emit(APP, EventKind::Serviced);
            let event = SystemEvent::ServicingComplete;
            let listens = |input: &Input| match input {
                Input::Register(registered) => matches!(
                    registered.declaration.trigger,
                    Trigger::System { event: on, .. } if on == event
                ),
                _ => false,
            };
            let (first, rest): (Vec<_>, Vec<_>) = self.inbox.drain(..).partition(listens);
            self.inbox.extend(first);
            let details = Details {
                fired: self.now(),
                ..Details::default()
            };
            let what = Raised::System(event);
            self.inbox.push_back(Input::Raised { what, details });
            self.settle().await;
            self.inbox.extend(rest);
            if self.stuck {
                return Ok(());
            }
        }
        self.store.set_meta(BUILD, Some(build)).await
    }
}
