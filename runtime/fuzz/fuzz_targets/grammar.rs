//! Any text as each kind of value: what is read is written as a text that reads as the same value,
//! and a number is refused where the check of a constant refuses it, in the same words.
#![no_main]

use std::{
    fmt::{Debug, Display},
    str::FromStr,
};

use bgtask_model::{
    Backoff, Condition, Delivery, DeviceChange, HoleRule, Host, Missed, OnOverrun, Overlap,
    ParseError, Pending, Retry, Rule, Sandbox, SystemEvent, TimeOfDay, Trigger,
};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Corpus::Reject;
    };
    read::<Backoff>(text);
    read::<Condition>(text);
    read::<Delivery>(text);
    read::<DeviceChange>(text);
    read::<Host>(text);
    read::<Missed>(text);
    read::<OnOverrun>(text);
    read::<Overlap>(text);
    read::<Pending>(text);
    read::<Retry>(text);
    read::<Sandbox>(text);
    read::<SystemEvent>(text);
    read::<TimeOfDay>(text);
    read::<Trigger>(text);
    if let Ok(number) = text.parse() {
        limits(number);
    }
    Corpus::Keep
});

fn read<T>(text: &str) -> Option<ParseError>
where
    T: FromStr<Err = ParseError> + Display + PartialEq + Debug,
{
    match text.parse::<T>() {
        Ok(value) => {
            let written = value.to_string();
            let again = written.parse::<T>();
            assert_eq!(again.as_ref(), Ok(&value), "{written}");
            None
        }
        Err(error) => {
            assert!(!error.mistakes.is_empty());
            for mistake in &error.mistakes {
                assert!(text.get(mistake.at.clone()).is_some(), "{mistake:?}");
            }
            Some(error)
        }
    }
}

fn limits(number: u32) {
    for rule in HoleRule::ALL {
        let error = match rule {
            HoleRule::TimeMinutes => read::<Trigger>(&format!("time({number})")),
            HoleRule::MaintenanceMinutes => read::<Trigger>(&format!("maintenance({number})")),
            HoleRule::KeepAlive => {
                read::<Trigger>(&format!("control_channel(\"a\", keep_alive = {number})"))
            }
            HoleRule::BatteryPercent => read::<Condition>(&format!("battery_above({number})")),
            HoleRule::LoadThousandths => {
                let (whole, rest) = (number / 1000, number % 1000);
                read::<Condition>(&format!("load_below({whole}.{rest:03})"))
            }
            HoleRule::QueueLength => read::<Overlap>(&format!("queue({number})")),
            HoleRule::AllowedRuns => read::<Overlap>(&format!("allow({number})")),
            HoleRule::MissedRuns => read::<Missed>(&format!("all({number})")),
            HoleRule::RetryMax => read::<Retry>(&format!("max = {number}")),
        };
        let told = error.map(|error| error.mistakes[0].rule.clone());
        assert_eq!(told, rule.check(number).map(Rule::from), "{rule:?}");
    }
}
