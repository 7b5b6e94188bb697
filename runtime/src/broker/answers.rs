//! What the store makes of a batch.

use jiff::Timestamp;

use super::{batch::Batch, log::Page, volatile::all_data};
use crate::{
    Result,
    store::{Lease, NewActivation, Store, StoreFuture},
};

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
    /// Hands a batch and a page of the log to the store: all of it at once, so that it shares a
    /// commit, in the order in which it builds on each other.
    pub(super) async fn of(store: &dyn Store, batch: &Batch, page: &Page, now: Timestamp) -> Self {
        let new: Vec<NewActivation> = batch.new_activations().cloned().collect();
        let access = async {
            match page.access() {
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
            written(&batch.finishes, |finishes| store.finish(finishes)),
            written(&batch.changed, |ends| store.change_data(all_data(ends))),
            written(&batch.releases, |all| store.release(all)),
            written(&batch.fires, |fires| store.fire(fires)),
            written(&new, |new| store.enqueue(new)),
            written(&batch.suppressions, |all| store.suppress(all)),
            written(&batch.notes, |notes| store.note(notes)),
            written(&batch.throttled, |all| store.throttled(all, now)),
            written(&batch.claims, |claims| store.claim(claims)),
            written(&batch.delivered, |runs| store.deliver(runs)),
            written(&page.events, |events| store.log(events)),
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

/// What the store made of `items`, for which it is not asked when there are none.
fn written<'a, T: Clone, R: Default + Send + 'a>(
    items: &[T],
    write: impl FnOnce(Vec<T>) -> StoreFuture<'a, R>,
) -> StoreFuture<'a, R> {
    match items {
        [] => Box::pin(std::future::ready(Ok(R::default()))),
        items => write(items.to_vec()),
    }
}
