//! Gates: an activation is held until its condition is true.

/// A boolean expression over facts of the system.
///
/// The text form is the grammar of the attribute: `internet && (ac_power || battery_above(30))`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// One fact.
    Is(Predicate),
    /// `!a`
    Not(Box<Condition>),
    /// `a && b && …`, two or more.
    All(Vec<Condition>),
    /// `a || b || …`, two or more.
    Any(Vec<Condition>),
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
