//! `BGTASK_MACRO_DEBUG=sync_mail cargo build` prints what the attribute makes of `sync_mail`.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use proc_macro2::TokenStream;
use quote::quote;

/// Names the task or its function.
const VARIABLE: &str = "BGTASK_MACRO_DEBUG";

/// Cargo builds a crate anew when the variable changes: that takes one mention in the crate, and
/// the compiler is a process of its own for each.
pub(crate) fn mention() -> Option<TokenStream> {
    static MENTIONED: AtomicBool = AtomicBool::new(false);
    let first = proc_macro::is_available() && !MENTIONED.swap(true, Ordering::Relaxed);
    first.then(|| quote!(let _ = ::core::option_env!(#VARIABLE);))
}

/// Prints `tokens` if one of the names is asked for.
#[expect(
    clippy::print_stderr,
    reason = "cargo shows what the compiler prints there"
)]
pub(crate) fn print(mut names: impl Iterator<Item = String>, tokens: &TokenStream) {
    let Ok(wanted) = std::env::var(VARIABLE) else {
        return;
    };
    if names.any(|name| name == wanted) {
        let text = tokens.to_string();
        eprintln!("{}", formatted(&text).unwrap_or(text));
    }
}

/// `text` as rustfmt writes it, if it is installed and can read it.
fn formatted(text: &str) -> Option<String> {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition=2024", "--quiet"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    // It reads all before it writes.
    rustfmt.stdin.take()?.write_all(text.as_bytes()).ok()?;
    let output = rustfmt.wait_with_output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expansion_is_formatted() {
        let tokens = quote::quote!(
            fn sync() {
                let a = 1;
            }
        );
        let text = formatted(&tokens.to_string()).unwrap();
        assert_eq!(text, "fn sync() {\n    let a = 1;\n}\n");
        assert_eq!(formatted("fn ("), None);
    }
}
