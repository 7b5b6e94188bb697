//! Cron expressions: five fields, each mistake told with its field and place.
//!
//! What is accepted here is accepted, with the same meaning, by
//! [croner](https://docs.rs/croner), which computes the due times; a property test holds that.
//! What croner would accept and never, or surprisingly, fire is refused: `31 2`, `*/90`.

use std::ops::Range;

use crate::Rule;

/// What is wrong with an expression, and which bytes of it.
#[derive(Debug)]
pub(crate) struct CronMistake {
    pub(crate) rule: Rule,
    pub(crate) at: Range<usize>,
}

struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    names: &'static [&'static str],
}

const DAY_OF_MONTH: usize = 2;
const MONTH: usize = 3;
const DAY_OF_WEEK: usize = 4;

const FIELDS: [Field; 5] = [
    Field {
        name: "minute",
        low: 0,
        high: 59,
        names: &[],
    },
    Field {
        name: "hour",
        low: 0,
        high: 23,
        names: &[],
    },
    Field {
        name: "day of month",
        low: 1,
        high: 31,
        names: &[],
    },
    Field {
        name: "month",
        low: 1,
        high: 12,
        names: &[
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ],
    },
    Field {
        name: "day of week",
        low: 0,
        high: 7,
        names: &["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"],
    },
];

const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * Sun"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// Whether the text looks like an expression: five fields, and the first is no word.
pub(crate) fn is_schedule(text: &str) -> bool {
    let written = |c: char| c.is_ascii_alphanumeric() || " \t*/,-".contains(c);
    let begins = text.trim_start().chars().next();
    words(text).len() == FIELDS.len()
        && text.chars().all(written)
        && begins.is_some_and(|c| c.is_ascii_digit() || c == '*')
}

/// Checks an expression and gives it back with single spaces.
pub(crate) fn check(expression: &str) -> Result<String, CronMistake> {
    let words = words(expression);
    let texts: Vec<&str> = words.iter().map(|at| &expression[at.clone()]).collect();
    if words.len() != FIELDS.len() {
        return Err(count(expression, &texts));
    }
    let mut days = Vec::new();
    let mut months = Vec::new();
    for (index, at) in words.iter().enumerate() {
        let values = field(index, expression, at.clone())?;
        match index {
            DAY_OF_MONTH => days = values,
            MONTH => months = values,
            _ => {}
        }
    }
    // A day of week beside a day of month widens it, as in every cron; alone, the day decides.
    let by_day_alone = matches!(texts[DAY_OF_WEEK], "*" | "?");
    let comes = |month: &u32| days.iter().any(|day| *day <= longest(*month));
    if by_day_alone && !months.iter().any(comes) {
        let at = words[DAY_OF_MONTH].start..words[MONTH].end;
        let rule = Rule::new(
            "cron_never",
            format!("no month of `{expression}` has such a day, so it never fires"),
        )
        .help("write `L` as day of month for the last day of each month");
        return Err(CronMistake { rule, at });
    }
    Ok(texts.join(" "))
}

/// The places of the words between white space.
fn words(expression: &str) -> Vec<Range<usize>> {
    let start = expression.as_ptr() as usize;
    expression
        .split_whitespace()
        .map(|word| {
            let at = word.as_ptr() as usize - start;
            at..at + word.len()
        })
        .collect()
}

fn count(expression: &str, texts: &[&str]) -> CronMistake {
    let rule = Rule::new(
        "cron_fields",
        format!(
            "`{expression}` has {} {}; cron takes five: minute, hour, day of month, month, day of week",
            texts.len(),
            if texts.len() == 1 { "field" } else { "fields" },
        ),
    );
    let nickname = texts.first().and_then(|first| {
        let found = NICKNAMES
            .iter()
            .find(|name| name.0.eq_ignore_ascii_case(first));
        found.map(|name| name.1)
    });
    let rule = match (texts.len(), nickname) {
        (1, Some(fields)) => rule.help(format!("write `{fields}`")),
        (6, _) => rule.help(format!(
            "there is no field of seconds: write `{}`, or `every(\"10s\")` for a period below a minute",
            texts[1..].join(" ")
        )),
        _ => rule.help("write `0 3 * * Mon-Fri` for 03:00 from Monday to Friday"),
    };
    CronMistake {
        rule,
        at: 0..expression.len(),
    }
}

const fn longest(month: u32) -> u32 {
    match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days or months that a field names; its last day, and the weekday near a day, as the day.
fn field(index: usize, expression: &str, at: Range<usize>) -> Result<Vec<u32>, CronMistake> {
    let field = &FIELDS[index];
    let text = &expression[at.clone()];
    let days = matches!(index, DAY_OF_MONTH | DAY_OF_WEEK);
    if text == "*" || (days && text == "?") {
        return Ok((field.low..=field.high).collect());
    }
    let mut values = Vec::new();
    let mut start = at.start;
    for part in text.split(',') {
        let part_at = start..start + part.len();
        start = part_at.end + 1;
        let wrong = |rule: Rule| CronMistake {
            // An empty part has no bytes of its own; its comma is the place.
            at: if part.is_empty() {
                at.clone()
            } else {
                part_at.clone()
            },
            rule,
        };
        values.extend(
            self::part(index, part)
                .map_err(|why| wrong(why.rule(field, part, part_at.start, expression)))?,
        );
    }
    let last = |word: &str| text.split(',').any(|part| part.eq_ignore_ascii_case(word));
    if index == DAY_OF_MONTH && last("L") && last("LW") {
        let rule = Rule::new(
            "cron_last",
            "`L` and `LW` stand together in the day of month",
        )
        .help("keep one of them");
        return Err(CronMistake { rule, at });
    }
    Ok(values)
}

/// Why a part of a field is refused.
enum Why {
    NotKnown,
    Backwards(u32, u32),
    StepZero,
    StepWide(u32),
    StepOfOne,
    LastOfWeek,
    Nth,
}

impl Why {
    fn rule(&self, field: &Field, part: &str, start: usize, expression: &str) -> Rule {
        let name = field.name;
        let column = expression[..start].chars().count() + 1;
        let place = format!("at character {column} of `{expression}`");
        match self {
            Self::NotKnown => {
                let named = match field.names {
                    [first, .., last] => format!(", names `{first}` to `{last}`"),
                    _ => String::new(),
                };
                let rule = Rule::new(
                    "cron_value",
                    format!("`{part}` is no {name} {place}"),
                );
                let rule = match crate::word::nearest(part, field.names.iter().copied()) {
                    Some(meant) => rule.help(format!("did you mean `{meant}`?")),
                    None => rule,
                };
                rule.help(format!(
                    "the {name} takes {} to {}{named}, `*`, ranges `a-b`, steps `*/n` and lists `a,b`",
                    field.low, field.high
                ))
            }
            Self::Backwards(low, high) => Rule::new(
                "cron_range",
                format!("the range `{part}` of the {name} runs backwards {place}"),
            )
            .help(format!(
                "write two ranges: `{low}-{},{}-{high}`",
                field.high, field.low
            )),
            Self::StepZero => Rule::new(
                "cron_step",
                format!("the step of `{part}` is zero {place}"),
            )
            .help("write a step of 1 or more, such as `*/15`"),
            Self::StepWide(most) => Rule::new(
                "cron_step",
                format!("the step of `{part}` leaves the {name} {place}"),
            )
            .help(format!(
                "a step counts inside its field, here up to {most}; write `every(\"90m\")` for other periods"
            )),
            Self::StepOfOne => Rule::new(
                "cron_step",
                format!("the step of `{part}` has no range {place}"),
            )
            .help(format!("write `*/n`, or a range such as `{}-{}/n`", field.low, field.high)),
            Self::LastOfWeek => Rule::new(
                "cron_last",
                format!("`L` needs its day of week {place}"),
            )
            .help("write `5L` for the last Friday of the month"),
            Self::Nth => Rule::new(
                "cron_nth",
                format!("`{part}` names no occurrence in a month {place}"),
            )
            .help("write `Mon#1` to `Mon#5`"),
        }
    }
}

fn part(index: usize, text: &str) -> Result<Vec<u32>, Why> {
    let field = &FIELDS[index];
    let value = |text: &str| value(field, text).ok_or(Why::NotKnown);
    let (range, step) = match text.split_once('/') {
        Some((range, step)) => (range, Some(number(step).ok_or(Why::NotKnown)?)),
        None => (text, None),
    };
    if let Some(step) = step {
        if step == 0 {
            return Err(Why::StepZero);
        }
        let (low, high) = if range == "*" {
            (field.low, field.high)
        } else {
            bounds(field, range)?.ok_or(Why::StepOfOne)?
        };
        if step > field.high {
            return Err(Why::StepWide(field.high));
        }
        return Ok((low..=high).step_by(step as usize).collect());
    }
    if index == DAY_OF_MONTH {
        let upper = text.to_ascii_uppercase();
        if upper == "L" || upper == "LW" {
            // Every month has a last day; the 28th stands for it.
            return Ok(vec![28]);
        }
        if let Some(day) = upper.strip_suffix('W') {
            return Ok(vec![value(day)?]);
        }
    }
    if index == DAY_OF_WEEK {
        if text.eq_ignore_ascii_case("L") {
            return Err(Why::LastOfWeek);
        }
        if let Some(day) = text.strip_suffix(['L', 'l']) {
            return Ok(vec![value(day)?]);
        }
        if let Some((day, nth)) = text.split_once('#') {
            let day = value(day)?;
            return match number(nth) {
                Some(1..=5) => Ok(vec![day]),
                _ => Err(Why::Nth),
            };
        }
    }
    match bounds(field, text)? {
        Some((low, high)) => Ok((low..=high).collect()),
        None => Ok(vec![value(text)?]),
    }
}

/// The two ends of `a-b`; `None` for a single value.
fn bounds(field: &Field, text: &str) -> Result<Option<(u32, u32)>, Why> {
    let Some((low, high)) = text.split_once('-') else {
        return match value(field, text) {
            Some(_) => Ok(None),
            None => Err(Why::NotKnown),
        };
    };
    let low = value(field, low).ok_or(Why::NotKnown)?;
    let mut end = value(field, high).ok_or(Why::NotKnown)?;
    // Sunday ends a week as 7 where it is named.
    if end == 0 && high.eq_ignore_ascii_case("sun") {
        end = 7;
    }
    if low > end {
        return Err(Why::Backwards(low, end));
    }
    Ok(Some((low, end)))
}

fn value(field: &Field, text: &str) -> Option<u32> {
    let named = field
        .names
        .iter()
        .position(|name| name.eq_ignore_ascii_case(text));
    let value = match named {
        Some(position) => u32::try_from(position).ok()? + field.low,
        None => number(text)?,
    };
    (field.low..=field.high).contains(&value).then_some(value)
}

fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use croner::Cron;
    use proptest::prelude::*;
    use std::str::FromStr as _;

    #[test]
    fn accepted() {
        for text in [
            "* * * * *",
            "0 3 * * Mon-Fri",
            "*/15 8-18/2 1,15 jan-MAR *",
            "0 0 L * *",
            "0 0 LW * ?",
            "0 0 15W * *",
            "0 0 ? * 5L",
            "0 0 * * fri#2,Mon",
            "0 0 * * Fri-Sun",
            "0 0 29 2 *",
            "0 0 31 2 Mon",
            "00 03 01 01 7",
        ] {
            assert_eq!(
                check(text).unwrap_or_else(|e| panic!("{text}: {}", e.rule)),
                text
            );
            comes(text);
        }
        assert_eq!(check("  0\t3 * *   1 ").unwrap(), "0 3 * * 1");
    }

    #[test]
    fn refused_with_rule_and_place() {
        for (text, code, at) in [
            ("", "cron_fields", 0..0),
            ("0 3 * *", "cron_fields", 0..7),
            ("0 0 3 * * 1", "cron_fields", 0..11),
            ("@daily", "cron_fields", 0..6),
            ("60 3 * * *", "cron_value", 0..2),
            ("0 24 * * *", "cron_value", 2..4),
            ("0 3 0 * *", "cron_value", 4..5),
            ("0 3 * 13 *", "cron_value", 6..8),
            ("0 3 * * 8", "cron_value", 8..9),
            ("0 3 * * 1,Mno", "cron_value", 10..13),
            ("0 3 Mon * *", "cron_value", 4..7),
            ("0 3 *,5 * *", "cron_value", 4..5),
            ("0,,5 3 * * *", "cron_value", 0..4),
            ("0 3 * * Fri-Mon", "cron_range", 8..15),
            ("*/0 3 * * *", "cron_step", 0..3),
            ("*/90 3 * * *", "cron_step", 0..4),
            ("5/10 3 * * *", "cron_step", 0..4),
            ("0 3 * * L", "cron_last", 8..9),
            ("0 3 L,LW * *", "cron_last", 4..8),
            ("0 3 L-3 * *", "cron_value", 4..7),
            ("0 3 * * Mon#6", "cron_nth", 8..13),
            ("0 3 31 2 *", "cron_never", 4..8),
            ("0 3 31 4,6 *", "cron_never", 4..10),
            ("0 3 31W feb *", "cron_never", 4..11),
            ("é 3 * * *", "cron_value", 0..2),
        ] {
            let mistake = check(text).expect_err(text);
            assert_eq!((mistake.rule.code, mistake.at), (code, at), "{text}");
        }
    }

    #[test]
    fn sentences() {
        let told = |text| check(text).unwrap_err().rule.to_string();
        assert_eq!(
            told("0 3 * * Mno"),
            "`Mno` is no day of week at character 9 of `0 3 * * Mno`\n  help: did you mean `Mon`? \
             the day of week takes 0 to 7, names `Sun` to `Sat`, `*`, ranges `a-b`, steps `*/n` \
             and lists `a,b`"
        );
        assert!(told("@Daily").ends_with("help: write `0 0 * * *`"));
        assert!(told("0 0 3 * * 1").contains("write `0 3 * * 1`, or `every"));
        assert!(told("0 3 * * Fri-Mon").ends_with("help: write two ranges: `5-7,0-1`"));
    }

    /// The expression fires after the start of 2024.
    fn comes(text: &str) {
        let cron = Cron::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let start = jiff::civil::date(2024, 1, 1)
            .to_zoned(jiff::tz::TimeZone::UTC)
            .unwrap();
        cron.find_next_occurrence(&start, false)
            .unwrap_or_else(|e| panic!("{text}: {e}"));
    }

    fn part_of(low: u32, high: u32) -> impl Strategy<Value = String> {
        prop_oneof![
            Just("*".to_owned()),
            (1..=high).prop_map(|step| format!("*/{step}")),
            proptest::collection::vec(low..=high, 1..4).prop_map(|values| {
                let values: Vec<String> = values.iter().map(u32::to_string).collect();
                values.join(",")
            }),
            (low..=high, low..=high, 1..=high)
                .prop_map(|(a, b, step)| { format!("{}-{}/{step}", a.min(b), a.max(b)) }),
            "[0-9*,/LW#?a-]{1,4}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn what_is_accepted_here_croner_accepts_and_fires(
            minute in part_of(0, 59),
            hour in part_of(0, 23),
            day in prop_oneof![part_of(1, 31), Just("L".to_owned()), Just("15W".to_owned())],
            month in prop_oneof![part_of(1, 12), "(?i)(jan|feb|dec)(-dec)?"],
            week in prop_oneof![part_of(0, 7), "(?i)(sun|mon|sat)(-sun|#[0-6]|L)?"],
        ) {
            let text = format!("{minute} {hour} {day} {month} {week}");
            if check(&text).is_ok() {
                comes(&text);
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = check(&text);
        }
    }
}
