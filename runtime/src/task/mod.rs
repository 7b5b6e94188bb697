//! What a body sees and what a run leaves: context, cancellation, progress, outcome.

mod cancel;
mod context;
mod data;
mod details;
mod devices;
mod files;
mod memory;
mod outcome;
mod payload;
mod progress;
mod push;
mod service;
mod socket;
mod toast;

pub use cancel::{CancelReason, Cancelled};
pub(crate) use context::RunHooks;
pub use context::{Deferral, TaskContext};
pub use data::TaskData;
pub(crate) use data::{Data, DataReader, NoData, Stage, Staged, check_key, from_kept, to_kept};
pub use details::{Details, DeviceDetails, NetworkDetails, ScheduledTime};
pub use devices::{DeviceAction, DeviceChanges, DeviceEvent};
pub use files::{FileChange, FileChangeKind, FileChanges};
pub use memory::MemoryUsage;
pub use outcome::{KillCause, Outcome, Suppression};
pub(crate) use payload::{DEFAULT_PAYLOAD, MOST_PAYLOAD, json_length, longer_than};
pub use progress::Progress;
pub use push::RawNotification;
pub(crate) use push::content;
pub(crate) use service::{Answer, ServiceLine, ServiceLines};
pub use service::{ServiceConnection, ServiceDetails, ServiceRequest};
pub(crate) use socket::{GivenBack, Hand, Parcel};
pub use socket::{Socket, SocketActivity, SocketDetails, SocketKind, SocketReason};
pub use toast::{ToastAction, ToastId};
