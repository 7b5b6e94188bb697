//! What `Display` writes, `FromStr` reads back as the same value.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use proptest::prelude::*;

use super::{ParseError, bytes, strategy};
use crate::{Condition, Declaration, Predicate, SystemEvent, Trigger};

fn read_back<T>(value: &T) -> Result<(), TestCaseError>
where
    T: FromStr<Err = ParseError> + Display + PartialEq + Debug,
{
    let text = value.to_string();
    let read =
        T::from_str(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
    prop_assert_eq!(&read, value, "{}", text);
    prop_assert_eq!(read.to_string(), text);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn triggers(value in strategy::trigger()) {
        read_back(&value)?;
    }

    #[test]
    fn conditions(value in strategy::condition()) {
        let text = value.to_string();
        match text.parse::<Condition>() {
            Ok(read) => prop_assert_eq!(read, value),
            // Facts by chance may contradict each other; nothing else may be wrong.
            Err(error) => {
                for mistake in error.mistakes {
                    prop_assert_eq!(mistake.rule.code, "contradiction", "{}", &text);
                }
            }
        }
    }

    #[test]
    fn facts(value in strategy::predicate()) {
        read_back(&Condition::Is(value))?;
    }

    #[test]
    fn hosts(value in strategy::host()) {
        read_back(&value)?;
    }

    #[test]
    fn retries(value in strategy::retry(), wait in strategy::backoff()) {
        read_back(&value)?;
        read_back(&wait)?;
    }

    #[test]
    fn policies(
        overlap in strategy::overlap(),
        pending in strategy::pending(),
        missed in strategy::missed(),
        delivery in strategy::delivery(),
        on_overrun in strategy::on_overrun(),
    ) {
        read_back(&overlap)?;
        read_back(&pending)?;
        read_back(&missed)?;
        read_back(&delivery)?;
        read_back(&on_overrun)?;
    }

    #[test]
    fn sandboxes(value in strategy::sandbox()) {
        read_back(&value)?;
    }

    #[test]
    fn times_of_day(value in strategy::time_of_day()) {
        read_back(&value)?;
    }

    #[test]
    fn changes_of_the_system(value in strategy::event()) {
        read_back(&value)?;
    }

    #[test]
    fn declarations_as_fields(value in strategy::declaration()) {
        let fields = value.fields().into_iter().map(|(word, field)| (word.to_owned(), field));
        let read = Declaration::from_fields(value.identity(), fields)
            .map_err(|mistakes| TestCaseError::fail(format!("{mistakes:#?}")))?;
        prop_assert_eq!(&read, &value);
        prop_assert_eq!(read.fingerprint_text(), value.fingerprint_text());
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = text.parse::<Trigger>();
        let _ = text.parse::<Condition>();
        let _ = text.parse::<crate::Retry>();
        let _ = text.parse::<crate::Sandbox>();
        let _ = format!("every({})", crate::grammar::quote(&text)).parse::<Trigger>();
        let _ = format!("at({})", crate::grammar::quote(&text)).parse::<Trigger>();
    }
}

#[test]
fn canonical_texts() {
    for (text, canonical) in [
        ("time( 1_5 ,once , )", "time(15, once)"),
        ("every(\"90s\")", "every(\"1m 30s\")"),
        (
            "cron(\" 0  3 * * Mon-Fri \", tz=\"europe/berlin\")",
            "cron(\"0 3 * * Mon-Fri\", tz = \"Europe/Berlin\")",
        ),
        (
            "at(\"2:30\", once, tz = \"UTC\")",
            "at(\"02:30\", tz = \"UTC\", once)",
        ),
        ("device(remove|add)", "device(add | remove)"),
        ("application()", "application"),
        ("push()", "push"),
        ("\"time(15)\"", "time(15)"),
    ] {
        let trigger: Trigger = text
            .parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(trigger.to_string(), canonical);
    }
    for (text, canonical) in [
        ("(internet)", "internet"),
        (
            "internet&&(ac_power&&device_idle)",
            "internet && ac_power && device_idle",
        ),
        (
            "internet||(ac_power&&device_idle)",
            "internet || ac_power && device_idle",
        ),
        (
            "(internet||ac_power)&&device_idle",
            "(internet || ac_power) && device_idle",
        ),
        ("!(internet&&ac_power)", "!(internet && ac_power)"),
        ("load_below(0.800)", "load_below(0.8)"),
        ("load_below(2)", "load_below(2)"),
        ("app :: net :: up", "app::net::up"),
    ] {
        let condition: Condition = text
            .parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(condition.to_string(), canonical);
    }
    for (amount, text) in [
        (1 << 29, "512MiB"),
        (1 << 30, "1GiB"),
        (1_000_000_001, "1000000001B"),
    ] {
        assert_eq!(bytes(amount), text);
    }
}

#[test]
fn an_error_tells_every_mistake() {
    let error = "internte && bettery_not_low"
        .parse::<Condition>()
        .unwrap_err();
    assert_eq!(error.text, "internte && bettery_not_low");
    assert_eq!(error.mistakes.len(), 2);
    assert!(
        error
            .to_string()
            .starts_with("unknown condition `internte`\n  help: did you mean `internet`?")
    );
    assert_eq!(
        "24:00".parse::<crate::TimeOfDay>().unwrap_err().mistakes[0]
            .rule
            .code,
        "time_of_day"
    );
    assert_eq!(
        "gone".parse::<crate::DeviceChange>().unwrap_err().mistakes[0].at,
        0..4
    );
}

#[test]
fn words_of_the_vocabulary() {
    assert_eq!(SystemEvent::all().count(), 15);
    assert!(Trigger::words().any(|word| word == Trigger::Startup.word()));
    assert!(Predicate::words().any(|word| word == "free_network"));
    for word in Trigger::words() {
        assert_eq!(Trigger::from_word(word).map(|one| one.word()), Some(word));
    }
    assert_eq!(Trigger::from_word("internet"), None);
    assert!(Predicate::words().all(|word| Predicate::from_word(word).is_some()));
    assert_eq!(
        Predicate::from_word("free_network"),
        Some(Predicate::Unmetered)
    );
    assert_eq!(Predicate::from_word("startup"), None);
}
