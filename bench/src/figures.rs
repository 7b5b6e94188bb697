//! Times of rounds, and how they are shown.

use std::time::Duration;

/// Times of rounds.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<Duration>);

impl Figures {
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// The time that `part` of the rounds stay below.
    pub(crate) fn quantile(&mut self, part: f64) -> Duration {
        self.0.sort_unstable();
        let last = self.0.len().saturating_sub(1);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index into a few hundred rounds"
        )]
        let index = (part * last as f64).round() as usize;
        self.0.get(index).copied().unwrap_or_default()
    }

    /// One line; `limit` is what it is compared with.
    pub(crate) fn show(&mut self, what: &str, limit: Option<Duration>) {
        let (median, high) = (self.quantile(0.5), self.quantile(0.99));
        let ratio = limit.map_or_else(String::new, |limit| {
            format!("   {:.2} x", median.as_secs_f64() / limit.as_secs_f64())
        });
        println!(
            "{what:<52} {:>9.3} / {:>9.3} ms{ratio}",
            median.as_secs_f64() * 1e3,
            high.as_secs_f64() * 1e3
        );
    }
}
