//! What `#[bgtask::main]` expands to: become a host when asked to, else run the app.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    process::{ExitCode, Termination},
    sync::Arc,
};

use crate::{
    App, AppBuilder, Error, broker,
    host::child::{self, Connection},
    registry,
};

/// Who the program is, as cargo said when it was built.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The package's name.
    pub package: &'static str,
    /// The binary's or example's name.
    pub binary: Option<&'static str>,
    /// The package's version.
    pub version: &'static str,
}

impl Identity {
    /// `<package>`, or `<package>.<binary>` when the binary has a name of its own.
    fn app_id(self) -> String {
        match self.binary {
            Some(binary) if binary != self.package => format!("{}.{binary}", self.package),
            _ => self.package.to_owned(),
        }
    }
}

/// The `setup` of a program that has none.
///
/// # Errors
/// Never.
pub fn no_setup(app: AppBuilder) -> Result<AppBuilder, Infallible> {
    Ok(app)
}

/// Runs the program: as a host when it was started as one, else as the app.
pub fn run_main<S, E, F, Fut>(identity: Identity, setup: S, main: F) -> ExitCode
where
    S: Fn(AppBuilder) -> Result<AppBuilder, E>,
    E: fmt::Display,
    F: FnOnce(App) -> Fut,
    Fut: Future,
    Fut::Output: Termination,
{
    let mut builder = AppBuilder::new(identity.app_id());
    builder.hosts = true;
    match child::connect() {
        Ok(Some(connection)) => return run_host(connection, || setup(builder)),
        Ok(None) => {}
        Err(error) => return fail(&error),
    }
    let builder = match setup(builder) {
        Ok(builder) => builder,
        Err(error) => {
            return fail(&Error::new(
                crate::Code::Setup,
                format!("the function given to `setup` failed: {error}"),
            ));
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            return fail(
                &Error::new(crate::Code::Host, "no threads could be started").source(error),
            );
        }
    };
    let code = runtime.block_on(async {
        match builder.start().await {
            Ok(app) => broker::supervise(app.clone(), main(app)).await,
            Err(error) => fail(&error),
        }
    });
    // A body on a blocking thread that would not end must not keep the process.
    runtime.shutdown_background();
    code
}

/// A `setup` that panics in a host is told as one that fails: the app's record names it.
fn caught<E: fmt::Display>(
    setup: impl FnOnce() -> Result<AppBuilder, E>,
) -> Result<AppBuilder, String> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(setup)) {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err("it panicked".to_owned()),
    }
}

fn run_host<E: fmt::Display>(
    connection: Connection,
    setup: impl FnOnce() -> Result<AppBuilder, E>,
) -> ExitCode {
    let conversation = match connection.open() {
        Ok(conversation) => conversation,
        Err(error) => return fail(&error),
    };
    let builder = caught(setup);
    let tasks = registry::linked_by_name();
    conversation.serve(
        Arc::new(move |name: &str| tasks.get(name).copied()),
        builder.map(|builder| Arc::new(builder.state)),
    )
}

/// The one place where the library prints: the program could not start, and there is nobody else
/// to say so.
#[expect(clippy::print_stderr, reason = "a program that cannot start says why")]
fn fail(error: &Error) -> ExitCode {
    eprintln!("bgtask: {error}");
    ExitCode::FAILURE
}
