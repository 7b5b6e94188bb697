//! The attributes of bgtask: read, check, expand. Their documentation is where `bgtask`
//! re-exports them.

mod args;
mod check;
mod code;
mod condition;
mod debug;
mod entry;
mod errors;
mod expand;
mod fallback;
mod groups;
mod item;
mod path;
mod settings;
mod signature;
#[cfg(test)]
mod snapshots;
mod task;
#[cfg(test)]
mod tests;
mod tokens;

use proc_macro::TokenStream;

/// Declares a background task; documented at `bgtask::background_task`.
#[proc_macro_attribute]
pub fn background_task(args: TokenStream, item: TokenStream) -> TokenStream {
    task::background_task(args.into(), item.into()).into()
}

/// Declares a condition of the app's own; documented at `bgtask::background_condition`.
#[proc_macro_attribute]
pub fn background_condition(args: TokenStream, item: TokenStream) -> TokenStream {
    condition::background_condition(args.into(), item.into()).into()
}

/// Makes an `async fn main` the app's; documented at `bgtask::main`.
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::main(args.into(), item.into()).into()
}
