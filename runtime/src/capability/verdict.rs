//! How well something works here, before it is told.

use std::borrow::Cow;

use super::Support;

/// What is missing, and what can be done about it.
pub(super) type Missing = (String, &'static str);

/// How well something works here, and who does it or tells of it.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    sources: Cow<'static, [&'static str]>,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Guaranteed,
    BestEffort(String),
    Unsupported(Missing),
}

impl Verdict {
    pub(super) const fn guaranteed(sources: &'static [&'static str]) -> Self {
        Self {
            sources: Cow::Borrowed(sources),
            kind: Kind::Guaranteed,
        }
    }

    pub(super) fn best_effort(sources: &'static [&'static str], why: impl Into<String>) -> Self {
        Self {
            sources: Cow::Borrowed(sources),
            kind: Kind::BestEffort(why.into()),
        }
    }

    pub(super) fn unsupported(rule: impl Into<String>, remedy: &'static str) -> Self {
        Self {
            sources: Cow::Borrowed(&[]),
            kind: Kind::Unsupported((rule.into(), remedy)),
        }
    }

    pub(super) const fn is_unsupported(&self) -> bool {
        matches!(self.kind, Kind::Unsupported(_))
    }

    /// What is missing, if it is unsupported.
    pub(super) fn missing(self) -> Option<Missing> {
        match self.kind {
            Kind::Unsupported(missing) => Some(missing),
            Kind::Guaranteed | Kind::BestEffort(_) => None,
        }
    }

    /// Of what needs both: as good as the worse of them.
    pub(super) fn and(self, other: Self) -> Self {
        let kind = match (self.kind, other.kind) {
            (unsupported @ Kind::Unsupported(_), _) | (_, unsupported @ Kind::Unsupported(_)) => {
                return Self {
                    sources: Cow::Borrowed(&[]),
                    kind: unsupported,
                };
            }
            (Kind::BestEffort(one), Kind::BestEffort(two)) => {
                Kind::BestEffort(format!("{one}; {two}"))
            }
            (Kind::Guaranteed, other) | (other, Kind::Guaranteed) => other,
        };
        let mut sources = self.sources.into_owned();
        let more = other.sources.iter();
        for source in more {
            if !sources.contains(source) {
                sources.push(source);
            }
        }
        Self {
            sources: Cow::Owned(sources),
            kind,
        }
    }

    /// As it is told, with who does it.
    pub(super) fn tell(self) -> (Support, Vec<String>) {
        let support = match self.kind {
            Kind::Guaranteed => Support::Guaranteed,
            Kind::BestEffort(why) => Support::BestEffort { why },
            Kind::Unsupported((missing, remedy)) => Support::Unsupported {
                missing,
                remedy: remedy.to_owned(),
            },
        };
        let sources = self.sources.iter().map(|&source| source.to_owned());
        (support, sources.collect())
    }
}
