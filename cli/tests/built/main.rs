//! Real little workspaces, built with cargo: what is listed is what the program registers.
//!
//! `BGTASK_MATRIX=full` builds them with every profile and linker.

mod change;
mod check;
mod debug;
mod libraries;
mod places;
mod refused;
mod reviewed;
mod settings;
mod unlinked;
mod workspace;
