//! Reads the one trigger of a declaration.

use std::ops::Range;
use std::time::Duration;

use super::call::{Call, Given, Shape};
use super::draft::Source;
use super::scope::{Scope, span};
use super::{Token, TokenKind};
use crate::rule::HoleRule;
use crate::word::{self, CHANGES, CONDITIONS, EVENTS, TRIGGERS};
use crate::{DeviceChange, Rule, SystemEvent, TimeOfDay, Trigger, cron};

/// What stands in the parentheses of each trigger.
const fn shape(kind: &Trigger) -> Shape {
    const ONCE: &[&str] = &["once"];
    const TZ: &[&str] = &["tz"];
    let (usage, values, keys, flags): (_, _, &[&str], &[&str]) = match kind {
        Trigger::Time { .. } => ("time(15)", 1, &[], ONCE),
        Trigger::Every { .. } => ("every(\"10s\")", 1, &[], ONCE),
        Trigger::Cron { .. } => (
            "cron(\"0 3 * * Mon-Fri\", tz = \"Europe/Berlin\")",
            1,
            TZ,
            &[],
        ),
        Trigger::At { .. } => ("at(\"02:30\", tz = \"Europe/Berlin\")", 1, TZ, ONCE),
        Trigger::Maintenance { .. } => ("maintenance(60)", 1, &[], ONCE),
        Trigger::System { .. } => ("system(internet_available)", 1, &[], ONCE),
        Trigger::Application => ("application", 0, &[], &[]),
        Trigger::MediaProcessing => ("media_processing", 0, &[], &[]),
        Trigger::Push { .. } => ("push(\"channel\")", 1, &[], &[]),
        Trigger::Socket { .. } => ("socket(\"tcp://127.0.0.1:7000\")", 1, &[], &[]),
        Trigger::ControlChannel { .. } => (
            "control_channel(\"id\", keep_alive = 30)",
            1,
            &["keep_alive"],
            &[],
        ),
        Trigger::Files { .. } => ("files(\"~/Pictures\", recursive)", 1, &[], &["recursive"]),
        Trigger::Device { .. } => (
            "device(add | remove, subsystem = \"usb\")",
            1,
            &["subsystem"],
            &[],
        ),
        Trigger::DeviceUse => ("device_use", 0, &[], &[]),
        Trigger::DeviceServicing => ("device_servicing", 0, &[], &[]),
        Trigger::Custom { .. } => ("custom(\"name\")", 1, &[], &[]),
        Trigger::AppService { .. } => ("app_service(\"name\")", 1, &[], &[]),
        Trigger::ToastAction => ("toast_action", 0, &[], &[]),
        Trigger::Startup => ("startup", 0, &[], &[]),
        Trigger::Voip => ("voip", 0, &[], &[]),
    };
    Shape {
        usage,
        values,
        keys,
        flags,
    }
}

impl Scope {
    /// The trigger that `tokens` name; `at` is where to say that there is none.
    pub(crate) fn trigger(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<Trigger> {
        if let [text] = tokens
            && text.kind == TokenKind::Text
        {
            let at = text.at.clone();
            if cron::is_schedule(&text.text) {
                let rule = Rule::new(
                    "word_expected",
                    format!(
                        "`trigger` takes a word, not the schedule `{}`",
                        text.written()
                    ),
                );
                self.mistake(rule.help(format!("write `cron({})`", text.written())), at);
                return None;
            }
            return self.quoted("trigger", text, |scope, tokens| {
                scope.trigger_words(tokens, &at)
            });
        }
        self.trigger_words(tokens, at)
    }

    fn trigger_words(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<Trigger> {
        let mut depth = 0_usize;
        let join = tokens.iter().find(|token| {
            match token.kind {
                TokenKind::Open => depth += 1,
                TokenKind::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0
                && ["||", "&&", "|", ",", "!"]
                    .iter()
                    .any(|mark| token.is_mark(mark))
        });
        if let Some(join) = join {
            let rule = Rule::new(
                "one_trigger",
                format!("unexpected `{}`: a declaration has one trigger", join.text),
            )
            .help(match self.source {
                Source::Tokens => "give the function a second attribute, each with its own `name`; what must hold as well is a `condition`",
                Source::Text => "make a second registration, with its own name; what must hold as well is a `condition`",
            });
            self.mistake(rule, join.at.clone());
            return None;
        }
        let call = self.call("`trigger`", tokens, at, "trigger = time(15)")?;
        let Some(kind) = TRIGGERS.value(&call.word.text) else {
            let rule = unknown_trigger(&call.word.text);
            self.mistake(rule, call.word.at.clone());
            return None;
        };
        let shape = shape(kind);
        let noted = self.mistakes.len();
        let given = self.given(&call, &shape);
        let trigger = self.trigger_of(kind, &call, &given, &shape);
        // A word too many is a mistake even where the trigger is complete without it.
        trigger.filter(|_| self.mistakes.len() == noted)
    }

    fn trigger_of(
        &mut self,
        kind: &Trigger,
        call: &Call<'_>,
        given: &Given<'_>,
        shape: &Shape,
    ) -> Option<Trigger> {
        let once = given.flag("once");
        let first = given.value(0);
        let at = &call.at;
        let usage = shape.usage;
        Some(match kind {
            Trigger::Time { .. } => Trigger::Time {
                minutes: self.minutes("`time`", first, at, HoleRule::TimeMinutes, usage)?,
                once,
            },
            Trigger::Maintenance { .. } => Trigger::Maintenance {
                minutes: self.minutes(
                    "`maintenance`",
                    first,
                    at,
                    HoleRule::MaintenanceMinutes,
                    usage,
                )?,
                once,
            },
            Trigger::Every { .. } => Trigger::Every {
                period: self.period(first, at, usage)?,
                once,
            },
            Trigger::Cron { .. } => {
                let expression = self.cron(first, at, usage);
                let tz = self.tz(given)?;
                Trigger::Cron {
                    expression: expression?,
                    tz,
                }
            }
            Trigger::At { .. } => {
                let time = self.time_of_day(first, at);
                let tz = self.tz(given)?;
                Trigger::At {
                    time: time?,
                    tz,
                    once,
                }
            }
            Trigger::System { .. } => {
                let event = self.system_event(first, at)?;
                if let Some(flag) = given.flag_at("once")
                    && once
                    && event == SystemEvent::ControlChannelReset
                {
                    let rule = Rule::new("reset_once", "`control_channel_reset` cannot be `once`");
                    self.mistake(rule.help("remove `once`"), flag);
                    return None;
                }
                Trigger::System { event, once }
            }
            Trigger::Push { .. } => Trigger::Push {
                channel: match first {
                    [] => None,
                    first => Some(self.name("the channel of `push`", first, at, usage)?),
                },
            },
            Trigger::Socket { .. } => Trigger::Socket {
                address: match first {
                    [] => None,
                    first => Some(self.address(first, at, usage)?),
                },
            },
            Trigger::ControlChannel { .. } => {
                let id = self.channel_id(first, at, usage);
                let keep_alive = match given.key("keep_alive") {
                    Some((at, minutes)) => self.number(
                        "`keep_alive`",
                        minutes,
                        at,
                        HoleRule::KeepAlive,
                        "keep_alive = 30",
                    ),
                    None if given.wrong => None,
                    None => {
                        let rule =
                            Rule::new("missing_value", "`control_channel` has no `keep_alive`");
                        let help = format!("write how many minutes it stays open: `{usage}`");
                        self.mistake(rule.help(help), at.clone());
                        None
                    }
                };
                Trigger::ControlChannel {
                    id: id?,
                    keep_alive: keep_alive?,
                }
            }
            Trigger::Files { .. } => Trigger::Files {
                path: self.absolute_path("the path of `files`", first, at, usage)?,
                recursive: given.flag("recursive"),
            },
            Trigger::Device { .. } => {
                let changes = self.changes(first, at);
                let subsystem = match given.key("subsystem") {
                    Some((at, value)) => {
                        Some(self.name("`subsystem`", value, at, "subsystem = \"usb\"")?)
                    }
                    None => None,
                };
                Trigger::Device {
                    changes: changes?,
                    subsystem,
                }
            }
            Trigger::Custom { .. } => Trigger::Custom {
                name: self.name("the name of `custom`", first, at, usage)?,
            },
            Trigger::AppService { .. } => Trigger::AppService {
                name: self.name("the name of `app_service`", first, at, usage)?,
            },
            Trigger::Application
            | Trigger::MediaProcessing
            | Trigger::DeviceUse
            | Trigger::DeviceServicing
            | Trigger::ToastAction
            | Trigger::Startup
            | Trigger::Voip => kind.clone(),
        })
    }

    /// Minutes; a duration in quotes is the likeliest slip.
    fn minutes(
        &mut self,
        what: &str,
        tokens: &[Token],
        at: &Range<usize>,
        limit: HoleRule,
        usage: &str,
    ) -> Option<u32> {
        if let [text] = tokens
            && text.kind != TokenKind::Word
            && let Ok(period) = humantime::parse_duration(&text.text)
            && !text.text.ends_with(|c: char| c.is_ascii_digit())
        {
            let rule = Rule::new(
                "minutes_expected",
                format!("{what} takes minutes as a number, not `{}`", text.written()),
            );
            let seconds = period.as_secs();
            let help = match u32::try_from(seconds / 60) {
                Ok(minutes) if seconds % 60 == 0 && limit.check(minutes).is_none() => {
                    format!("write `{}({minutes})`", what.trim_matches('`'))
                }
                _ => format!("write `{usage}`, or `every(\"{}\")`", text.text),
            };
            self.mistake(rule.help(help), text.at.clone());
            return None;
        }
        self.number(what, tokens, at, limit, usage)
    }

    fn period(&mut self, tokens: &[Token], at: &Range<usize>, usage: &str) -> Option<Duration> {
        let period = self.duration("`every`", tokens, at, usage)?;
        if period < Duration::from_millis(1) {
            let rule = Rule::new("short_period", "`every` takes a period of 1ms or more");
            self.mistake(rule.help(format!("write `{usage}`")), span(tokens, at));
            return None;
        }
        Some(period)
    }

    fn cron(&mut self, tokens: &[Token], at: &Range<usize>, usage: &str) -> Option<String> {
        let text = self.text("`cron`", tokens, at, usage)?;
        match cron::check(&text) {
            Ok(expression) => Some(expression),
            Err(mistake) => {
                let whole = span(tokens, at);
                // Where the literal has its two quotes and no escape, the place inside is known.
                let at = if whole.len() == text.len() + 2 && !mistake.at.is_empty() {
                    let start = whole.start + 1;
                    start + mistake.at.start..start + mistake.at.end
                } else {
                    whole
                };
                self.mistake(mistake.rule, at);
                None
            }
        }
    }

    /// `Some(None)` without `tz`; `None` if it is wrong.
    #[expect(clippy::option_option, reason = "absent and wrong differ")]
    fn tz(&mut self, given: &Given<'_>) -> Option<Option<String>> {
        match given.key("tz") {
            Some((at, value)) => self.zone(value, at).map(Some),
            None => Some(None),
        }
    }

    pub(crate) fn time_of_day(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<TimeOfDay> {
        let text = self.text("`at`", tokens, at, "at(\"02:30\")")?;
        let time = time_of_day(&text);
        if time.is_none() {
            let rule = Rule::new("time_of_day", format!("`{text}` is no time of day"))
                .help("write hours and minutes of a 24-hour clock, `\"02:30\"`, or with seconds, `\"02:30:15\"`");
            self.mistake(rule, span(tokens, at));
        }
        time
    }

    pub(crate) fn system_event(
        &mut self,
        tokens: &[Token],
        at: &Range<usize>,
    ) -> Option<SystemEvent> {
        let usage = "system(internet_available)";
        let (call, event) = self.choice("`system`", tokens, at, &EVENTS, usage)?;
        if call.group.is_some() {
            let word = &call.word.text;
            self.alone(word, call.at, &format!("system({word})"));
            return None;
        }
        Some(*event)
    }

    fn address(&mut self, tokens: &[Token], at: &Range<usize>, usage: &str) -> Option<String> {
        let text = self.name("the address of `socket`", tokens, at, usage)?;
        if is_address(&text) {
            return Some(text);
        }
        let rule = Rule::new(
            "socket_address",
            format!("`{text}` is no address of a socket"),
        );
        let rule = match meant_address(&text) {
            Some(meant) => rule.help(format!("did you mean `{meant}`?")),
            None => rule.help("write `tcp://host:port`, `udp://host:port` or `unix:path`, with a port of 0 to 65535"),
        };
        self.mistake(rule, span(tokens, at));
        None
    }

    fn channel_id(&mut self, tokens: &[Token], at: &Range<usize>, usage: &str) -> Option<String> {
        let id = self.name("the id of `control_channel`", tokens, at, usage)?;
        if id.chars().count() > 64 {
            let rule = Rule::new(
                "channel_id_length",
                "the id of `control_channel` has more than 64 characters",
            );
            self.mistake(rule.help("choose a shorter one"), span(tokens, at));
            return None;
        }
        Some(id)
    }

    /// A path that means the same wherever the program was started.
    pub(super) fn absolute_path(
        &mut self,
        what: &str,
        tokens: &[Token],
        at: &Range<usize>,
        usage: &str,
    ) -> Option<String> {
        let path = self.text(what, tokens, at, usage)?;
        if path.is_empty() {
            let rule = Rule::new("empty_text", format!("{what} is empty"));
            self.mistake(rule.help(format!("write `{usage}`")), span(tokens, at));
            return None;
        }
        if !path.starts_with('/') && path != "~" && !path.starts_with("~/") {
            let rule = Rule::new("relative_file", format!("`{path}` is no absolute path"));
            self.mistake(rule.help("start it with `/` or `~/`"), span(tokens, at));
            return None;
        }
        Some(path)
    }

    /// One change of a device.
    pub(crate) fn change(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<DeviceChange> {
        let (call, change) =
            self.choice("`device`", tokens, at, &CHANGES, "device(add | remove)")?;
        if call.group.is_some() {
            self.alone(&call.word.text, call.at, &call.word.text);
            return None;
        }
        Some(*change)
    }

    /// `add | remove`, in the order of the variants.
    fn changes(&mut self, tokens: &[Token], at: &Range<usize>) -> Option<Vec<DeviceChange>> {
        let mut changes: Vec<(DeviceChange, Range<usize>)> = Vec::new();
        let noted = self.mistakes.len();
        for word in tokens.split(|token| token.is_mark("|") || token.is_mark("||")) {
            let whole = span(tokens, at);
            let Some(change) = self.change(word, &whole) else {
                continue;
            };
            let at = span(word, &whole);
            if let Some(first) = changes.iter().find(|first| first.0 == change) {
                let first = first.1.clone();
                self.twice(&change.to_string(), at, first);
                continue;
            }
            changes.push((change, at));
        }
        let mut changes: Vec<DeviceChange> = changes.into_iter().map(|change| change.0).collect();
        changes.sort_unstable();
        (self.mistakes.len() == noted).then_some(changes)
    }
}

/// A trigger that is not one: a fact, a change of the system, or a slip of the pen.
fn unknown_trigger(text: &str) -> Rule {
    let rule = Rule::new("unknown_trigger", format!("unknown trigger `{text}`"));
    if EVENTS.value(text).is_some() {
        return rule.help(format!(
            "it is a change of the system: write `system({text})`"
        ));
    }
    if CONDITIONS.value(text).is_some() {
        return rule.help(format!(
            "`{text}` is a condition: write it behind `condition =`, beside the trigger"
        ));
    }
    if let Some(meant) = word::nearest(text, TRIGGERS.words()) {
        return rule.help(format!("did you mean `{meant}`?"));
    }
    match word::nearest(text, EVENTS.words()) {
        Some(meant) => rule.help(format!("did you mean `system({meant})`?")),
        None => rule.help(format!("expected {}", TRIGGERS.list())),
    }
}

/// `HH:MM` or `HH:MM:SS`; an hour may have one digit.
pub(crate) fn time_of_day(text: &str) -> Option<TimeOfDay> {
    let number = |text: &str, digits: std::ops::RangeInclusive<usize>, below: u8| {
        let plain = digits.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        let value: u8 = plain.then(|| text.parse().ok()).flatten()?;
        (value < below).then_some(value)
    };
    let mut parts = text.split(':');
    let time = TimeOfDay {
        hour: number(parts.next()?, 1..=2, 24)?,
        minute: number(parts.next()?, 2..=2, 60)?,
        second: parts
            .next()
            .map_or(Some(0), |part| number(part, 2..=2, 60))?,
    };
    parts.next().is_none().then_some(time)
}

/// The address with another scheme, or with one at all.
fn meant_address(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("tcp", text));
    let scheme = word::nearest(scheme, ["tcp", "udp"].into_iter())?;
    let meant = format!("{scheme}://{rest}");
    is_address(&meant).then_some(meant)
}

fn is_address(text: &str) -> bool {
    if let Some(path) = text.strip_prefix("unix:") {
        return !path.is_empty();
    }
    let Some(rest) = text
        .strip_prefix("tcp://")
        .or_else(|| text.strip_prefix("udp://"))
    else {
        return false;
    };
    let Some((host, port)) = rest.rsplit_once(':') else {
        return false;
    };
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host_fits = match bracketed {
        Some(host) => host.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && !host.contains([':', '/', '@', ' ', '[', ']']),
    };
    host_fits && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok()
}
