//! What logind writes of each user: `/run/systemd/users/1000`. Those who read it without logind take
//! what is there for a guess.

use std::path::Path;

use crate::Reading;

/// Whether the user has a session. Without the file they have none, as on a machine that nobody
/// logs in to.
pub(super) fn connected(users: &Path, uid: u32) -> Reading {
    let text = std::fs::read_to_string(users.join(uid.to_string())).unwrap_or_default();
    let state = text.lines().find_map(|line| line.strip_prefix("STATE="));
    Reading::Guess(state.is_some_and(is_connected))
}

/// Of the states of a user or a session, those in which there is a session, in front or behind
/// another one. `lingering` is a user without one.
/// <https://www.freedesktop.org/software/systemd/man/latest/sd_uid_get_state.html>
pub(super) fn is_connected(state: &str) -> bool {
    matches!(state, "active" | "online")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_users_file_says() {
        let users = tempfile::tempdir().expect("a folder");
        let said = || connected(users.path(), 1000);
        assert_eq!(said(), Reading::Guess(false), "no file");
        let write = |name: &str, text: &str| {
            std::fs::write(users.path().join(name), text).expect("written");
        };
        write("1001", "STATE=active\n");
        assert_eq!(said(), Reading::Guess(false), "another user's");
        for (state, expected) in [
            ("active", true),
            ("online", true),
            ("lingering", false),
            ("closing", false),
            ("opening", false),
            ("offline", false),
            ("", false),
        ] {
            let text = format!("# private\nNAME=ada\nSTATE={state}\nSTOPPING=no\n");
            write("1000", &text);
            assert_eq!(said(), Reading::Guess(expected), "{state}");
        }
        write("1000", "OTHER_STATE=active\n");
        assert_eq!(said(), Reading::Guess(false));
    }
}
