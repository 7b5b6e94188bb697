//! The words of the attribute's grammar, one item for each, so that an editor shows what `time` in
//! `trigger = time(15)` means and goes from there to this page.
//!
//! They are not for programs: the attribute reads its words itself and names these items beside
//! them. Each is an empty type, and no value of it exists.
//!
//! * [`trigger`]: what stands behind `trigger =`.
//! * [`event`]: what stands in `trigger = system(…)`.
//! * [`condition`]: what stands behind `condition =`.
//!
//! Each page begins with how the word is written. The arguments beside `trigger` and `condition`,
//! and the whole grammar, are described at [`background_task`](macro@crate::background_task).
//!
//! What this version has no source for is marked on its page. It parses and stands in the
//! manifest, but it is refused when it is registered, with
//! [`Code::Unsupported`](crate::Code::Unsupported); the other tasks go on.

/// Words with their documentation. Each is an item; tests read them all from `WORDS`.
macro_rules! words {
    ($($(#[doc = $line:tt])+ $word:ident)+) => {
        $(
            $(#[doc = $line])+
            #[allow(non_camel_case_types, reason = "it is a word of the grammar")]
            // Nobody who types `time` elsewhere is to be offered an import of it.
            #[rust_analyzer::completions(ignore_flyimport)]
            #[derive(Debug)]
            pub enum $word {}
        )+

        /// Each word with its documentation.
        #[cfg(test)]
        pub(super) const WORDS: &[(&str, &str)] =
            &[$((stringify!($word), concat!($($line, "\n"),+))),+];
    };
}

pub mod condition;
pub mod event;
pub mod trigger;

#[cfg(test)]
mod tests;
