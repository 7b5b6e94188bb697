//! What is wrong, said once: each rule has a code, a sentence and a remedy, and a literal, a
//! constant expression and a value at run time that break it get the same words.
//!
//! Limits of numbers are `const fn`, so that generated code can check a constant that only the
//! compiler can evaluate:
//!
//! ```
//! use bgtask_model::rule::check_time_minutes;
//!
//! const MINUTES: u32 = 15;
//! const _: () = if let Some(rule) = check_time_minutes(MINUTES) {
//!     panic!("{}", rule.message_with_help)
//! };
//! ```

use std::borrow::Cow;
use std::fmt;

/// One broken rule, as told to a person.
///
/// Its text is the message and, on a line of its own, the help.
///
/// ```
/// use bgtask_model::Rule;
///
/// let rule = Rule::new("unknown_argument", "unknown argument `colour`").help("remove it");
/// assert_eq!(rule.to_string(), "unknown argument `colour`\n  help: remove it");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// A stable name of the rule, snake case, for tests and machines.
    pub code: &'static str,
    /// What is wrong: lower case, no full stop, the offending word in backticks.
    pub message: Cow<'static, str>,
    /// The remedy, where the message does not hold it already.
    pub help: Option<Cow<'static, str>>,
}

impl Rule {
    /// A rule without help.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            help: None,
        }
    }

    /// Adds a remedy, after one that is there already.
    #[must_use]
    pub fn help(mut self, help: impl Into<Cow<'static, str>>) -> Self {
        let help = help.into();
        self.help = Some(match self.help {
            Some(first) if first.ends_with('?') => format!("{first} {help}").into(),
            Some(first) => format!("{first}; {help}").into(),
            None => help,
        });
        self
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Rule {}

/// A rule whose words are known at compile time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticRule {
    /// A stable name of the rule.
    pub code: &'static str,
    /// What is wrong.
    pub message: &'static str,
    /// The remedy.
    pub help: &'static str,
    /// Both, as `Rule`'s `Display` gives them; for `panic!("{}", …)` in a constant.
    pub message_with_help: &'static str,
}

impl From<StaticRule> for Rule {
    fn from(rule: StaticRule) -> Self {
        Self::new(rule.code, rule.message).help(rule.help)
    }
}

impl fmt::Display for StaticRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message_with_help)
    }
}

macro_rules! limits {
    ($($(#[$docs:meta])* $check:ident / $variant:ident:
        $low:literal..=$high:literal, $code:literal, $message:literal, $help:literal;)+) => {
        $(
            $(#[$docs])*
            ///
            /// The rule that `value` breaks, if it breaks it.
            #[must_use]
            pub const fn $check(value: u32) -> Option<StaticRule> {
                if matches!(value, $low..=$high) {
                    return None;
                }
                Some(StaticRule {
                    code: $code,
                    message: $message,
                    help: $help,
                    message_with_help: concat!($message, "\n  help: ", $help),
                })
            }
        )+

        /// The limit that a constant has to keep once the compiler knows its value.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum HoleRule {
            $($(#[$docs])* $variant,)+
        }

        impl HoleRule {
            /// Every limit.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The rule that `value` breaks, if it breaks it.
            #[must_use]
            pub const fn check(self, value: u32) -> Option<StaticRule> {
                match self {
                    $(Self::$variant => $check(value),)+
                }
            }

            /// The variant's name, for generated code that says `HoleRule::` and this.
            #[must_use]
            pub const fn variant(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)+
                }
            }
        }
    };
}

limits! {
    /// The minutes of `time`: 15 to 43200.
    check_time_minutes / TimeMinutes: 15..=43_200, "time_minutes",
        "`time` takes 15 to 43200 minutes",
        "write `every(\"10s\")` for a shorter period, `cron` for a longer one";
    /// The minutes of `maintenance`: 15 to 43200.
    check_maintenance_minutes / MaintenanceMinutes: 15..=43_200, "maintenance_minutes",
        "`maintenance` takes 15 to 43200 minutes",
        "write `every(\"10s\")` with `condition = ac_power` for a shorter period";
    /// The minutes of `keep_alive`: 15 to 1439.
    check_keep_alive / KeepAlive: 15..=1_439, "keep_alive_minutes",
        "`keep_alive` takes 15 to 1439 minutes",
        "write `keep_alive = 30`";
    /// The percent of `battery_above`: 0 to 99.
    check_battery_percent / BatteryPercent: 0..=99, "battery_percent",
        "`battery_above` takes 0 to 99 percent",
        "write `battery_above(30)`; a charge is never above 100 percent";
    /// The thousandths of `load_below`: 1 to 100000, a load of 0.001 to 100 per core.
    check_load_thousandths / LoadThousandths: 1..=100_000, "load_range",
        "`load_below` takes a load per core of 0.001 to 100",
        "write `load_below(0.8)`";
    /// The length of `overlap = queue(n)` and `pending = queue(n)`: 1 to 10000.
    check_queue_length / QueueLength: 1..=10_000, "queue_length",
        "`queue` keeps 1 to 10000 activations",
        "write `queue(8)`, or leave it out for the default";
    /// The runs of `overlap = allow(n)`: 1 to 10000.
    check_allowed_runs / AllowedRuns: 1..=10_000, "allowed_runs",
        "`allow` takes 1 to 10000 runs at once",
        "write `allow(4)`, or `overlap = skip` for one at a time";
    /// The runs of `missed = all(n)`: 1 to 10000.
    check_missed_runs / MissedRuns: 1..=10_000, "missed_runs",
        "`all` catches up with 1 to 10000 missed due times",
        "write `all(24)`, or `missed = skip` to run none";
    /// The attempts of `retry(max = n)`: 1 to 10000.
    check_retry_max / RetryMax: 1..=10_000, "retry_max",
        "`max` takes 1 to 10000 further attempts",
        "write `retry(max = 5)`, or leave `retry` out to fail at once";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_include_both_ends() {
        for (rule, low, high) in [
            (HoleRule::TimeMinutes, 15, 43_200),
            (HoleRule::MaintenanceMinutes, 15, 43_200),
            (HoleRule::KeepAlive, 15, 1_439),
            (HoleRule::BatteryPercent, 0, 99),
            (HoleRule::LoadThousandths, 1, 100_000),
            (HoleRule::QueueLength, 1, 10_000),
            (HoleRule::AllowedRuns, 1, 10_000),
            (HoleRule::MissedRuns, 1, 10_000),
            (HoleRule::RetryMax, 1, 10_000),
        ] {
            assert_eq!(rule.check(low), None, "{rule:?}");
            assert_eq!(rule.check(high), None, "{rule:?}");
            assert!(rule.check(high + 1).is_some(), "{rule:?}");
            assert!(rule.check(u32::MAX).is_some(), "{rule:?}");
            if low > 0 {
                assert!(rule.check(low - 1).is_some(), "{rule:?}");
            }
        }
    }

    #[test]
    fn a_limit_says_the_same_wherever_it_is_broken() {
        const AT_COMPILE_TIME: StaticRule = match check_time_minutes(14) {
            Some(rule) => rule,
            None => unreachable!(),
        };
        assert_eq!(HoleRule::ALL.len(), 9);
        for rule in HoleRule::ALL {
            let broken = rule.check(u32::MAX).unwrap();
            assert_eq!(Rule::from(broken).to_string(), broken.message_with_help);
            assert_eq!(broken.to_string(), broken.message_with_help);
            assert_eq!(rule.variant(), format!("{rule:?}"));
        }
        let literal = "time(14)".parse::<crate::Trigger>().unwrap_err();
        assert_eq!(literal.mistakes[0].rule, Rule::from(AT_COMPILE_TIME));
    }

    #[test]
    fn a_second_help_follows_the_first() {
        let rule = Rule::new("code", "message").help("one").help("two");
        assert_eq!(rule.to_string(), "message\n  help: one; two");
        let rule = Rule::new("code", "message").help("one?").help("two");
        assert_eq!(rule.to_string(), "message\n  help: one? two");
    }
}
