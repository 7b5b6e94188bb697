//! A moment as people state it: a time, or how long ago.

use std::str::FromStr;

use jiff::{Span, Timestamp, Zoned, civil, tz::TimeZone};

/// A moment, once it is known what time it is.
#[derive(Clone, Debug)]
pub(crate) enum Since {
    At(Timestamp),
    Ago(Span),
}

impl Since {
    /// The moment. What lies before the first year that is known is the beginning of it.
    pub(crate) fn at(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => *at,
            Self::Ago(span) => {
                // A day is one of the calendar.
                let now = now.to_zoned(TimeZone::system());
                let before = now.checked_sub(span.abs());
                before.map_or(Timestamp::MIN, |before| before.timestamp())
            }
        }
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let here = |civil: civil::DateTime| civil.to_zoned(TimeZone::system());
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self::At(at));
        }
        if let Ok(zoned) = text.parse::<Zoned>() {
            return Ok(Self::At(zoned.timestamp()));
        }
        if let Some(zoned) = text.parse().ok().and_then(|civil| here(civil).ok()) {
            return Ok(Self::At(zoned.timestamp()));
        }
        let span = text.parse().map(Self::Ago);
        span.map_err(|_| {
            "neither a duration, such as `2h`, nor a time, such as `2026-01-02T03:04Z`".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn since(text: &str) -> Timestamp {
        let now = "2026-03-10T12:00:00Z".parse().unwrap();
        text.parse::<Since>().unwrap().at(now)
    }

    #[test]
    fn a_moment_is_a_time_or_how_long_ago() {
        for (text, expected) in [
            ("2h", "2026-03-10T10:00:00Z"),
            ("2h ago", "2026-03-10T10:00:00Z"),
            ("1 hour 30 minutes", "2026-03-10T10:30:00Z"),
            ("PT90S", "2026-03-10T11:58:30Z"),
            ("1 month", "2026-02-10T12:00:00Z"),
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
            ("2026-01-02 03:04:05+01:00", "2026-01-02T02:04:05Z"),
            ("2026-01-02T03:04[UTC]", "2026-01-02T03:04:00Z"),
        ] {
            assert_eq!(since(text), expected.parse().unwrap(), "{text}");
        }
        let local = |text: &str| {
            let local: civil::DateTime = text.parse().unwrap();
            local.to_zoned(TimeZone::system()).unwrap().timestamp()
        };
        assert_eq!(since("2026-01-02"), local("2026-01-02T00:00"));
        assert_eq!(since("2026-01-02T03:04"), local("2026-01-02T03:04"));
        assert_eq!(since("19998 years"), Timestamp::MIN);
        for text in ["", "2", "yesterday", "2026-13-01", "03:04", "2h later"] {
            let refused = text.parse::<Since>().unwrap_err();
            assert!(refused.starts_with("neither a duration"), "{text}");
        }
    }
}
