//! The task manifest: what the tasks of a program are, without running it.
//!
//! The executable is the manifest. Every `#[background_task]` leaves one entry in the executable's
//! section `.bgtask` (`__DATA,__bgtask` on Apple's systems), and the runtime reads the same bytes,
//! so that what is listed is what is registered. [`read_executable`] reads those entries from any
//! ELF, Mach-O or PE file, and from archives.
//!
//! `<executable>.bgtask.json` is made from them, by `cargo bgtask build` and by a debug run of the
//! program. `schema/manifest.schema.json` in the repository describes it field by field.
//!
//! Everything here takes files as untrusted: what is read is bounded, and what does not fit is an
//! [`Error`](crate::Error) with [`Code::Manifest`](crate::Code::Manifest).

mod assert;
mod beside;
mod collected;
mod difference;
mod entry;
mod executable;
mod file;
mod linked;
mod refusal;
#[cfg(test)]
mod samples;

#[doc(hidden)]
pub use assert::assert_manifest;
pub use beside::{Freshness, check_beside};
pub use difference::{ChangedField, Difference};
pub use entry::Entry;
pub use executable::read_executable;
pub use file::{Manifest, VERSION};
