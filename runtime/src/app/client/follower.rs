//! Follows a run in another process until it has ended, across restarts of the app.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{sync::watch, time::sleep};

use super::{Client, look, of};
use crate::{ActivationId, Code, Error, Result, broker::RunView, ipc::control};

/// The time between two looks while the app is closed.
const BETWEEN: Duration = Duration::from_millis(500);

/// What keeps a client from seeing how a run ends.
pub(in crate::app) type Lost = Arc<OnceLock<Error>>;

/// Tells what becomes of an activation, until it has ended or nobody listens.
pub(super) async fn follow(
    client: Client,
    activation: ActivationId,
    told: watch::Sender<RunView>,
    lost: Lost,
) {
    let ends = async {
        loop {
            match attend(&client, activation, &told).await {
                Ok(true) => return,
                Ok(false) => sleep(BETWEEN).await,
                Err(error) => {
                    let _ = lost.set(error);
                    return;
                }
            }
        }
    };
    tokio::select! {
        () = ends => {}
        () = told.closed() => {}
    }
}

/// Follows the activation while one broker runs, or looks into the store; whether it has ended.
async fn attend(
    client: &Client,
    activation: ActivationId,
    told: &watch::Sender<RunView>,
) -> Result<bool> {
    if let Ok(Some(mut broker)) = control::Client::connect(&client.runtime()?).await {
        let mut unlike = None;
        loop {
            match look(&mut broker, activation, unlike).await {
                Ok(seen) => {
                    unlike = Some(seen.clone());
                    if tell(told, of(seen)) {
                        return Ok(true);
                    }
                }
                Err(error) if error.code() == Code::UnknownRun => return Err(error),
                // It has ended, or does so now.
                Err(_) => break,
            }
        }
        return Ok(false);
    }
    let kept = client.kept(activation).await?;
    Ok(kept.ended.is_some() && tell(told, of(kept)))
}

/// Tells what is news; whether it has ended.
fn tell(told: &watch::Sender<RunView>, now: RunView) -> bool {
    let has_ended = now.ended.is_some();
    told.send_if_modified(|known| {
        let is_news = has_ended || known.progress != now.progress;
        if is_news {
            *known = now;
        }
        is_news
    });
    has_ended
}
