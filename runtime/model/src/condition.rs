//! Gates: an activation is held until its condition is true.

/// A boolean expression over facts of the system.
///
/// The text form is the grammar of the attribute: `internet && (ac_power || battery_above(30))`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// One fact.
    Is(Predicate),
    /// `!a`
    Not(Box<Self>),
    /// `a && b && …`, two or more.
    All(Vec<Self>),
    /// `a || b || …`, two or more.
    Any(Vec<Self>),
}

/// One fact that a condition asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Predicate {
    /// `internet`
    Internet,
    /// `no_internet`
    NoInternet,
    /// `user_present`
    UserPresent,
    /// `user_not_present`
    UserNotPresent,
    /// `session_connected`
    SessionConnected,
    /// `session_disconnected`
    SessionDisconnected,
    /// `unmetered` (alias `free_network`)
    Unmetered,
    /// `work_cost_not_high`
    WorkCostNotHigh,
    /// `ac_power`
    AcPower,
    /// `battery_above(30)`: percent, 0 to 99.
    BatteryAbove(u32),
    /// `battery_not_low`
    BatteryNotLow,
    /// `storage_not_low`
    StorageNotLow,
    /// `memory_not_low`
    MemoryNotLow,
    /// `device_idle`
    DeviceIdle,
    /// `load_below(0.8)`: load per core, in thousandths.
    LoadBelow(u32),
    /// `energy_saver_off`
    EnergySaverOff,
    /// `my::condition`: the path of a `#[background_condition]` function.
    User(String),
}

/// What is known of a condition: three-valued, so that an unknown fact never opens a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Truth {
    /// Known, or guessed, to hold.
    True,
    /// Known, or guessed, not to hold.
    False,
    /// Not known at the moment.
    Unknown,
}

impl Condition {
    /// `!self`; of a negation, what it negates.
    #[must_use]
    pub fn negate(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// All of `parts`, joined by `&&`; one part is itself. Parts that are `&&` already are joined
    /// in place.
    ///
    /// No part at all is `All` of nothing, which always holds and has no text form.
    #[must_use]
    pub fn all(parts: Vec<Self>) -> Self {
        Self::join(parts, Self::All, |part| match part {
            Self::All(inner) => Ok(inner),
            other => Err(other),
        })
    }

    /// Any of `parts`, joined by `||`; one part is itself. Parts that are `||` already are joined
    /// in place.
    ///
    /// No part at all is `Any` of nothing, which never holds and has no text form.
    #[must_use]
    pub fn any(parts: Vec<Self>) -> Self {
        Self::join(parts, Self::Any, |part| match part {
            Self::Any(inner) => Ok(inner),
            other => Err(other),
        })
    }

    fn join(
        parts: Vec<Self>,
        join: impl Fn(Vec<Self>) -> Self,
        open: impl Fn(Self) -> Result<Vec<Self>, Self>,
    ) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match open(part) {
                Ok(inner) => flat.extend(inner),
                Err(part) => flat.push(part),
            }
        }
        match flat.len() {
            1 => flat.remove(0),
            _ => join(flat),
        }
    }

    /// Whether it holds, in three-valued logic: what is unknown stays unknown unless the rest
    /// decides.
    ///
    /// ```
    /// use bgtask_model::{Condition, Predicate, Truth};
    ///
    /// let gate: Condition = "internet || ac_power".parse().unwrap();
    /// let truth = gate.evaluate(&mut |fact| match fact {
    ///     Predicate::AcPower => Truth::True,
    ///     _ => Truth::Unknown,
    /// });
    /// assert_eq!(truth, Truth::True);
    /// ```
    pub fn evaluate(&self, fact: &mut dyn FnMut(&Predicate) -> Truth) -> Truth {
        match self {
            Self::Is(predicate) => fact(predicate),
            Self::Not(inner) => inner.evaluate(fact).negate(),
            Self::All(parts) => Self::decide(parts, Truth::False, fact),
            Self::Any(parts) => Self::decide(parts, Truth::True, fact),
        }
    }

    /// `deciding` of one part decides; else unknown if any part is.
    fn decide(parts: &[Self], deciding: Truth, fact: &mut dyn FnMut(&Predicate) -> Truth) -> Truth {
        let mut truth = deciding.negate();
        for part in parts {
            match part.evaluate(fact) {
                decided if decided == deciding => return deciding,
                Truth::Unknown => truth = Truth::Unknown,
                _ => {}
            }
        }
        truth
    }

    /// Every fact that it asks for, once each, in the order written.
    #[must_use]
    pub fn predicates(&self) -> Vec<&Predicate> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found
    }

    fn collect<'c>(&'c self, found: &mut Vec<&'c Predicate>) {
        match self {
            Self::Is(predicate) if found.contains(&predicate) => {}
            Self::Is(predicate) => found.push(predicate),
            Self::Not(inner) => inner.collect(found),
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.collect(found);
                }
            }
        }
    }
}

impl Predicate {
    /// The fact behind it, and whether it asks for its opposite: `no_internet` is not `internet`.
    /// Monitors report only facts that this gives back.
    #[must_use]
    pub fn base(&self) -> (Self, bool) {
        match self {
            Self::NoInternet => (Self::Internet, true),
            Self::UserNotPresent => (Self::UserPresent, true),
            Self::SessionDisconnected => (Self::SessionConnected, true),
            fact => (fact.clone(), false),
        }
    }
}

impl Truth {
    /// The opposite; of unknown, unknown.
    #[must_use]
    pub const fn negate(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(text: &str) -> Condition {
        text.parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn three_valued_logic() {
        use Truth::{False, True, Unknown};
        // `internet` and `ac_power` as given.
        for (text, internet, power, expected) in [
            ("internet", True, False, True),
            ("!internet", True, False, False),
            ("!internet", Unknown, False, Unknown),
            ("internet && ac_power", True, True, True),
            ("internet && ac_power", True, Unknown, Unknown),
            ("internet && ac_power", Unknown, False, False),
            ("internet || ac_power", Unknown, True, True),
            ("internet || ac_power", Unknown, False, Unknown),
            ("internet || ac_power", False, False, False),
            ("!(internet && ac_power)", Unknown, False, True),
            ("!(internet || ac_power)", Unknown, True, False),
        ] {
            let truth = gate(text).evaluate(&mut |fact| match fact {
                Predicate::Internet => internet,
                _ => power,
            });
            assert_eq!(truth, expected, "{text} {internet:?} {power:?}");
        }
    }

    #[test]
    fn facts_are_listed_once_in_order() {
        let gate = gate("ac_power && (internet || ac_power) && !battery_above(3)");
        let found: Vec<String> = gate.predicates().iter().map(ToString::to_string).collect();
        assert_eq!(found, ["ac_power", "internet", "battery_above(3)"]);
    }

    #[test]
    fn opposites_have_one_fact_behind_them() {
        for (text, base, negated) in [
            ("no_internet", Predicate::Internet, true),
            ("user_not_present", Predicate::UserPresent, true),
            ("session_disconnected", Predicate::SessionConnected, true),
            ("ac_power", Predicate::AcPower, false),
        ] {
            let Condition::Is(predicate) = gate(text) else {
                panic!("{text} is one fact");
            };
            assert_eq!(predicate.base(), (base, negated), "{text}");
        }
    }

    #[test]
    fn joining_flattens() {
        let part = |text: &str| gate(text);
        let all = Condition::all(vec![part("internet && ac_power"), part("device_idle")]);
        assert_eq!(all, gate("internet && ac_power && device_idle"));
        assert_eq!(Condition::any(vec![part("internet")]), part("internet"));
        assert_eq!(part("internet").negate().negate(), part("internet"));
    }
}
