//! A batch that is with the store.

use std::{pin::Pin, sync::Arc};

use futures_util::FutureExt;
use jiff::Timestamp;

use super::{batch::Batch, log::Page, volatile::all_data};
use crate::{
    Result,
    store::{Lease, NewActivation, Store, StoreFuture},
};

/// A batch that was handed to the store.
pub(super) struct Flight {
    pub(super) batch: Batch,
    pub(super) page: Page,
    pub(super) answers: Pin<Box<dyn Future<Output = Answers> + Send>>,
}

impl Flight {
    /// Hands a batch and a page of the log to the store: all of it at once, so that it shares a
    /// commit, in the order in which it builds on each other.
    pub(super) fn begin(store: &Arc<dyn Store>, batch: Batch, page: Page, now: Timestamp) -> Self {
        let answers = Answers::of(Arc::clone(store), &batch, &page, now);
        let mut answers: Pin<Box<dyn Future<Output = Answers> + Send>> = Box::pin(answers);
        // It has them from now on, whenever this is waited for.
        if let Some(answered) = (&mut answers).now_or_never() {
            answers = Box::pin(std::future::ready(answered));
        }
        Self {
            batch,
            page,
            answers,
        }
    }
}

/// What the store made of each part of a batch.
pub(super) struct Answers {
    pub(super) finishes: Result<Vec<bool>>,
    pub(super) changed: Result<bool>,
    pub(super) releases: Result<()>,
    pub(super) fires: Result<Vec<bool>>,
    pub(super) enqueues: Result<Vec<bool>>,
    pub(super) suppressions: Result<Vec<bool>>,
    pub(super) notes: Result<()>,
    pub(super) throttled: Result<()>,
    pub(super) claims: Result<Vec<Option<Lease>>>,
    pub(super) delivered: Result<()>,
    /// Nothing waits for it or fails with it.
    pub(super) logged: Result<()>,
}

impl Answers {
    /// The store is asked when this is first polled.
    fn of(
        store: Arc<dyn Store>,
        batch: &Batch,
        page: &Page,
        now: Timestamp,
    ) -> impl Future<Output = Self> + Send + use<> {
        let finishes = batch.finishes.clone();
        let changed = all_data(batch.changed.clone());
        let releases = batch.releases.clone();
        let fires = batch.fires.clone();
        let enqueues: Vec<NewActivation> = batch.new_activations().cloned().collect();
        let suppressions = batch.suppressions.clone();
        let notes = batch.notes.clone();
        let throttled = batch.throttled.clone();
        let claims = batch.claims.clone();
        let delivered = batch.delivered.clone();
        let (events, access) = (page.events.clone(), page.access());
        async move {
            let access = async {
                match access {
                    Some((key, text)) => store.set_meta(key, Some(text)).await,
                    None => Ok(()),
                }
            };
            let (
                finishes,
                changed,
                releases,
                fires,
                enqueues,
                suppressions,
                notes,
                throttled,
                claims,
                delivered,
                logged,
                access,
            ) = tokio::join!(
                written(finishes, |finishes| store.finish(finishes)),
                written(changed, |changed| store.change_data(changed)),
                written(releases, |all| store.release(all)),
                written(fires, |fires| store.fire(fires)),
                written(enqueues, |new| store.enqueue(new)),
                written(suppressions, |all| store.suppress(all)),
                written(notes, |notes| store.note(notes)),
                written(throttled, |all| store.throttled(all, now)),
                written(claims, |claims| store.claim(claims)),
                written(delivered, |runs| store.deliver(runs)),
                written(events, |events| store.log(events)),
                access
            );
            Self {
                finishes,
                changed,
                releases,
                fires,
                enqueues,
                suppressions,
                notes,
                throttled,
                claims,
                delivered,
                logged: logged.and(access),
            }
        }
    }
}

/// What the store made of `items`, for which it is not asked when there are none.
fn written<'a, T, R: Default + Send + 'a>(
    items: Vec<T>,
    write: impl FnOnce(Vec<T>) -> StoreFuture<'a, R>,
) -> StoreFuture<'a, R> {
    match items[..] {
        [] => Box::pin(std::future::ready(Ok(R::default()))),
        _ => write(items),
    }
}
