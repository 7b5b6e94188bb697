//! A host's first words: it hears its app's hello, says its own, and takes the settings of its
//! process. There is one thread yet, so what is set here holds for all that follow.

use std::{io, os::unix::net::UnixStream, time::Duration};

use super::child::{Connection, vanish};
use crate::{
    ipc::{
        frame::{self, FrameError},
        host_message::{BuildId, FromHost, OwnSettings, PROTOCOL, ToHost, agree},
    },
    sandbox,
};

/// How long the app may take to say hello. It does so before the host can look.
const PATIENCE: Duration = Duration::from_secs(60);

/// Hears the app's hello and answers it.
///
/// # Errors
/// Why this process is no host. The app has been told, as far as it listens.
pub(super) fn answer(socket: UnixStream) -> Result<Connection, String> {
    let hello = hear(&socket, PATIENCE).map_err(|error| refuse(&socket, error))?;
    let ToHost::Hello {
        protocol,
        build,
        app_id,
        group,
        nonce,
        workers,
        settings,
    } = hello
    else {
        return Err(refuse(&socket, "its first message is no hello".to_owned()));
    };
    let ours = BuildId::of_this_process().map_err(|error| refuse(&socket, error.to_string()))?;
    // Ours goes out in any case, so that the other side knows too.
    let hello = FromHost::Hello {
        protocol: PROTOCOL,
        build: ours.clone(),
        pid: std::process::id(),
        nonce,
    };
    match frame::write(&socket, &hello) {
        // There is nobody to serve, nor to complain to.
        Err(error) if error.is_end() => vanish(),
        told => told.map_err(|error| error.to_string())?,
    }
    agree((PROTOCOL, &ours), (protocol, &build))?;
    take(&settings).map_err(|error| refuse(&socket, error))?;
    Ok(Connection {
        socket,
        app_id,
        group,
        workers,
    })
}

fn hear(socket: &UnixStream, patience: Duration) -> Result<ToHost, String> {
    let wait_for = |length| {
        let set = socket.set_read_timeout(length);
        set.map_err(|error| error.to_string())
    };
    wait_for(Some(patience))?;
    let hello = match frame::read(socket) {
        Ok(hello) => hello,
        Err(error) if error.is_end() => vanish(),
        Err(FrameError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
            return Err(format!("no hello came within {patience:?}"));
        }
        Err(error) => return Err(error.to_string()),
    };
    wait_for(None)?;
    Ok(hello)
}

/// Tells the app why, and gives it back.
fn refuse(socket: &UnixStream, error: String) -> String {
    // An app that is gone needs no answer.
    let _ = frame::write(
        socket,
        &FromHost::Refused {
            error: error.clone(),
        },
    );
    error
}

/// Takes the settings of this process; what none states is the app's.
fn take(settings: &OwnSettings) -> Result<(), String> {
    if let Some(nice) = settings.nice {
        rustix::process::setpriority_process(None, nice.into())
            .map_err(|error| format!("`nice = {nice}`: {error}"))?;
        #[cfg(target_os = "linux")]
        if nice > 0
            && let Err(error) = crate::sys::idle_io()
        {
            tracing::debug!(%error, "the disk work of a host has the app's priority");
        }
    }
    match &settings.sandbox {
        Some(paths) => sandbox::enter(&paths.read, &paths.write),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_that_says_nothing_is_not_waited_for_without_end() {
        let (ours, _theirs) = UnixStream::pair().expect("a socket pair");
        let error = hear(&ours, Duration::from_millis(1)).expect_err("nothing was said");
        assert_eq!(error, "no hello came within 1ms");
    }
}
