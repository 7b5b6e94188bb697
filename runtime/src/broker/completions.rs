//! Completions that nobody waited for, on their way to who asks.

use super::{Broker, housekeeping::MOST};
use crate::RunRecord;

impl Broker {
    /// Nobody waited for this completion: keeps it for who asks. The oldest go when nobody does.
    pub(super) fn keep_completion(&mut self, record: RunRecord) {
        self.undelivered.push_back(record);
        if self.undelivered.len() > MOST as usize {
            self.undelivered.pop_front();
        }
    }

    /// Gives waiting completions to those who wait for one.
    pub(super) fn hand_over(&mut self) {
        while let Some(record) = self.undelivered.pop_front() {
            let Some(taker) = self.takers.pop_front() else {
                self.undelivered.push_front(record);
                return;
            };
            // Delivered when the taker says so: it may go away before it looks.
            if let Err(record) = taker.send(record) {
                self.undelivered.push_front(record);
            }
        }
    }
}
