//! What folders looked like when their changes were told last: what changed while the app did not run
//! is told when it starts.

use std::collections::{BTreeMap, HashSet};

use bgtask_model::Trigger;

use super::{Broker, Phase};
use crate::Result;

/// Where the store keeps them, as JSON.
const LOOKS: &str = "looks";

/// A number for each trigger, as its text.
#[derive(Debug, Default)]
pub(super) struct Looks {
    seen: BTreeMap<String, u64>,
    /// The store does not have it yet.
    is_other: bool,
    /// While the app ends nothing starts: what is told then is told again at the next launch.
    is_missed: bool,
}

impl Broker {
    /// Gives the sources that are to be watched what they saw last. Of others nothing is known later
    /// on: what changes meanwhile is not told.
    pub(super) async fn recall_looks(&mut self) -> Result<()> {
        let kept = self.store.meta(LOOKS).await?;
        // What an older version wrote, or nobody, is as if nothing was seen.
        let kept: BTreeMap<String, u64> = kept
            .and_then(|kept| serde_json::from_str(&kept).ok())
            .unwrap_or_default();
        let wanted = self.wanted_sources().into_iter();
        let seen = wanted.filter_map(|trigger| {
            let sum = kept.get(&trigger.to_string()).copied()?;
            Some((trigger, sum))
        });
        let seen: Vec<(Trigger, u64)> = seen.collect();
        let texts = seen
            .iter()
            .map(|(trigger, sum)| (trigger.to_string(), *sum));
        self.looks.seen = texts.collect();
        self.looks.is_other = self.looks.seen != kept;
        self.sources.recall(seen.into_iter().collect());
        Ok(())
    }

    /// A change is told.
    pub(super) fn look_leads(&mut self) {
        self.looks.is_missed |= self.phase != Phase::Open;
    }

    pub(super) fn looked(&mut self, trigger: &Trigger, sum: u64) {
        if self.looks.is_missed {
            return;
        }
        let before = self.looks.seen.insert(trigger.to_string(), sum);
        self.looks.is_other |= before != Some(sum);
    }

    /// Writes them, after what they led to: a crash in between tells it again.
    pub(super) async fn keep_looks(&mut self) {
        if !self.looks.is_other || self.stuck {
            return;
        }
        if self.phase == Phase::Open {
            let wanted = self.wanted_sources().into_iter();
            let wanted: HashSet<String> = wanted.map(|trigger| trigger.to_string()).collect();
            self.looks
                .seen
                .retain(|trigger, _| wanted.contains(trigger));
        }
        let text = match serde_json::to_string(&self.looks.seen) {
            Ok(text) => text,
            Err(error) => return tracing::error!(%error, "what was seen cannot be written"),
        };
        match self.store.set_meta(LOOKS, Some(text)).await {
            Ok(()) => self.looks.is_other = false,
            // It is tried again with the next turn.
            Err(error) => tracing::warn!(%error, "what was seen of folders is not kept"),
        }
    }
}
