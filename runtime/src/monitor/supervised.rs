//! What may fail is started again: after 0.1 s, then ever later, up to a minute.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;

use crate::clock::Clock;

const FIRST: Duration = Duration::from_millis(100);
pub(super) const LONGEST: Duration = Duration::from_secs(60);

/// Runs it until it returns. Each error or panic is told to `failed`, with how long it takes until
/// the next start; there is none if that answers `false`.
pub(crate) async fn supervised<F: Future<Output = Result<(), String>>>(
    clock: &dyn Clock,
    mut run: impl FnMut() -> F,
    mut failed: impl FnMut(&str, Duration) -> bool,
) {
    let mut wait = FIRST;
    loop {
        let started = clock.now();
        // The call itself is inside: a function may panic before it gives a future back.
        let running = AssertUnwindSafe(async { run().await }).catch_unwind();
        let error = match running.await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(_) => "it panicked".to_owned(),
        };
        if !failed(&error, wait) {
            return;
        }
        let ran = clock.now().duration_since(started);
        if Duration::try_from(ran).is_ok_and(|ran| ran > LONGEST) {
            wait = FIRST;
        }
        clock.awake(wait).await;
        wait = (wait * 2).min(LONGEST);
    }
}
