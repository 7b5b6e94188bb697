//! Whole attributes: what they declare, and how their mistakes are told.

mod refused;

use super::*;
use crate::{Condition, Declaration, Host, Predicate, Trigger};

/// Hands the arguments of `text`, written as in an attribute, to `draft`.
fn feed(mut draft: Draft, text: &str) -> Result<Drafted, Vec<Mistake>> {
    let tokens = tokenize(text).unwrap_or_else(|mistake| panic!("{text}: {mistake}"));
    let mut start = 0;
    while start < tokens.len() {
        let mut depth = 0_usize;
        let end = (start..tokens.len())
            .find(|index| {
                match tokens[*index].kind {
                    TokenKind::Open => depth += 1,
                    TokenKind::Close => depth -= 1,
                    _ => {}
                }
                depth == 0 && tokens[*index].is_mark(",")
            })
            .unwrap_or(tokens.len());
        let value = match &tokens[start + 1..end] {
            [equals, value @ ..] if equals.is_mark("=") => value,
            [_, inner @ .., _] => inner,
            rest => rest,
        };
        draft.argument(tokens[start].clone(), value.to_vec());
        start = end + 1;
    }
    let identity = Identity {
        default_name: "app::task".to_owned(),
        function: "app::task".to_owned(),
        description: None,
    };
    draft.finish(identity, 0..text.len())
}

fn drafted(text: &str) -> Drafted {
    feed(Draft::new(), text).unwrap_or_else(|mistakes| panic!("{text}: {mistakes:#?}"))
}

fn declared(text: &str) -> Declaration {
    drafted(text).declaration
}

fn mistakes(text: &str) -> Vec<Mistake> {
    feed(Draft::new(), text)
        .err()
        .unwrap_or_else(|| panic!("{text} has no mistake"))
}

/// `code` of each mistake and the text at its place.
fn told(text: &str) -> Vec<(&'static str, &str)> {
    let found = mistakes(text);
    found
        .iter()
        .map(|mistake| (mistake.rule.code, &text[mistake.at.clone()]))
        .collect()
}

fn sentence(text: &str) -> String {
    let found = mistakes(text);
    assert_eq!(found.len(), 1, "{text}: {found:#?}");
    found[0].rule.to_string()
}

#[test]
fn a_whole_attribute() {
    let text = r#"name = "thumbs", trigger = application, condition = internet && ac_power,
        condition = !user_present, host = process, timeout = "10m", grace = "5s",
        memory = "512MiB", cpu = "10s", retry(max = 5, backoff = fixed("10s")),
        overlap = queue(3), pending = first, exclusive = "disk", priority = -10,
        cancel_on_condition_loss, network_requested = true, standby = false,
        registration_group = "lib", unique = "key", register = false, delivery = at_most_once,
        sandbox(read = ["/etc", "~/x"]), nice = 10, env(RUST_LOG = "info", "MY-KEY" = "1"),
        idle_timeout = "60s", handle = Thumbs, description = "Makes thumbnails""#;
    let told = told(text);
    assert_eq!(told, [("retry_at_most_once", "retry")]);
    let text = text.replace(", delivery = at_most_once", "");
    let drafted = drafted(&text);
    assert_eq!(drafted.handle.as_deref(), Some("Thumbs"));
    assert_eq!(drafted.places.value("trigger"), 27..38);
    assert_eq!(&text[drafted.places.keyword("host")], "host");
    assert!(!drafted.places.given("jitter"));
    assert_eq!(drafted.places.value("jitter"), 0..text.len());
    let declaration = drafted.declaration;
    assert_eq!(declaration.name, "thumbs");
    assert_eq!(declaration.description.as_deref(), Some("Makes thumbnails"));
    assert_eq!(
        declaration.fingerprint_text(),
        r#"name = "thumbs"
trigger = application
condition = internet && ac_power && !user_present
host = process
timeout = "10m"
grace = "5s"
memory = "512MiB"
cpu = "10s"
retry = max = 5, backoff = fixed("10s")
overlap = queue(3)
pending = first
exclusive = "disk"
registration_group = "lib"
unique = "key"
sandbox = read = ["/etc", "~/x"]
env = RUST_LOG = "info", "MY-KEY" = "1"
idle_timeout = "1m"
cancel_on_condition_loss = true
network_requested = true
register = false
priority = -10
nice = 10
"#
    );
}

#[test]
fn both_ways_to_give_a_value_are_the_same() {
    for (one, other) in [
        ("retry(max = 5)", "retry = (max = 5)"),
        ("timeout(\"10m\")", "timeout = \"10m\""),
        ("condition(internet)", "condition = internet"),
        ("condition = \"internet\"", "condition = (internet)"),
        ("standby", "standby = true"),
        (
            "trigger = \"time(15, once)\"",
            "trigger = time(15, once = true)",
        ),
        (
            "retry(max = 5)",
            "retry(max = 5, backoff = exponential(\"1s\", max = \"1h\", jitter))",
        ),
        ("timeout = \"1h 30m\"", "timeout = \"90m\""),
        ("condition = free_network", "condition = unmetered"),
        ("condition = !!internet", "condition = internet"),
        (
            "condition = internet, condition = ac_power",
            "condition = internet && ac_power",
        ),
    ] {
        let with_trigger = |text: &str| match text.starts_with("trigger") {
            true => declared(text),
            false => declared(&format!("trigger = time(20), {text}")),
        };
        assert_eq!(with_trigger(one), with_trigger(other), "{one}");
    }
}

#[test]
fn every_mistake_is_told_at_once_in_order() {
    let text = "trigger = tmie(15), condition = internte && baterry_above(30), overlap = skp, timeout = 10, memory = \"x\"";
    assert_eq!(
        told(text),
        [
            ("unknown_trigger", "tmie"),
            ("unknown_condition", "internte"),
            ("unknown_condition", "baterry_above"),
            ("unknown_word", "skp"),
            ("duration_text", "10"),
            ("process_argument", "memory"),
            ("memory_form", "\"x\""),
        ]
    );
}

#[test]
fn sentences_teach() {
    for (text, said) in [
        (
            "trigger = tmie(15)",
            "unknown trigger `tmie`\n  help: did you mean `time`?",
        ),
        (
            "trigger = time(10)",
            "`time` takes 15 to 43200 minutes\n  help: write `every(\"10s\")` for a shorter period, `cron` for a longer one",
        ),
        (
            "trigger = time(\"10m\")",
            "`time` takes minutes as a number, not `\"10m\"`\n  help: write `time(15)`, or `every(\"10m\")`",
        ),
        (
            "trigger = time(\"2h\")",
            "`time` takes minutes as a number, not `\"2h\"`\n  help: write `time(120)`",
        ),
        (
            "trigger = time(15u32)",
            "`time` takes a whole number without suffix, not `15u32`\n  help: write `15`",
        ),
        (
            "trigger = user_away",
            "unknown trigger `user_away`\n  help: it is a change of the system: write `system(user_away)`",
        ),
        (
            "trigger = ac_power",
            "unknown trigger `ac_power`\n  help: `ac_power` is a condition: write it behind `condition =`, beside the trigger",
        ),
        (
            "trigger = \"tmie(15)\"",
            "unknown trigger `tmie`\n  help: did you mean `time`? in the string \"tmie(15)\" write `trigger = tmie(15)` without quotes for an error at the exact place",
        ),
        (
            "trigger = \"0 8 * * Mon\"",
            "`trigger` takes a word, not the schedule `\"0 8 * * Mon\"`\n  help: write `cron(\"0 8 * * Mon\")`",
        ),
        (
            "trigger = time(15), condition = vpn_up",
            "unknown condition `vpn_up`\n  help: a condition of your own is written as a path: `self::vpn_up`; the known ones are `internet`, `no_internet`, `user_present`, `user_not_present`, `session_connected`, `session_disconnected`, `unmetered`, `free_network`, `work_cost_not_high`, `ac_power`, `battery_above`, `battery_not_low`, `storage_not_low`, `memory_not_low`, `device_idle`, `load_below` or `energy_saver_off`",
        ),
        (
            "trigger = time(15), timeout = 10s",
            "`timeout` takes a text with a unit, not the number `10s`\n  help: write it in quotes: `\"10s\"`",
        ),
        (
            "trigger = time(15), tiemout = \"1s\"",
            "unknown argument `tiemout`\n  help: did you mean `timeout`?",
        ),
        (
            "trigger = time(15), overlap = \"skip\"",
            "`overlap` takes a word, not `\"skip\"`\n  help: write `skip` without quotes",
        ),
    ] {
        assert_eq!(sentence(text), said);
    }
}

#[test]
fn an_error_in_a_string_covers_the_string() {
    // What is no token without quotes has no exact place to offer.
    for (text, code, offered) in [
        ("trigger = \"time(1)\"", "time_minutes", true),
        ("trigger = \"time(15\"", "unbalanced", false),
        ("trigger = \"time(MINUTES)\"", "constant_in_text", true),
        ("trigger = \"\"", "missing_value", false),
    ] {
        let literal = text.strip_prefix("trigger = ").unwrap();
        assert_eq!(told(text), [(code, literal)]);
        let hint = "without quotes for an error at the exact place";
        assert_eq!(sentence(text).contains(hint), offered, "{text}");
    }
    let condition = drafted("trigger = \"time(15)\", condition = \"self::vpn_up\"");
    assert_eq!(
        condition.user_conditions,
        [(34..48, "self::vpn_up".to_owned())]
    );
}

#[test]
fn the_first_one_is_shown_beside_the_second() {
    let text = "name = \"a\", trigger = time(15), name = \"b\"";
    assert_eq!(
        mistakes(text)[0].also,
        [(0..4, "given first here".to_owned())]
    );
    let text = "trigger = time(15), condition = internet && no_internet";
    assert_eq!(
        mistakes(text)[0].also,
        [(32..40, "contradicts this".to_owned())]
    );
}

#[test]
fn constants_leave_holes() {
    let text = "trigger = control_channel(\"4294967295\", keep_alive = crate::KEEP), condition = battery_above(LOW), overlap = queue(::a::N)";
    let drafted = drafted(text);
    let holes: Vec<_> = drafted
        .holes
        .iter()
        .map(|hole| (&text[hole.at.clone()], hole.rule.variant(), hole.stand_in))
        .collect();
    // The first number is in a text already, so it would not mark a place.
    assert_eq!(
        holes,
        [
            ("crate::KEEP", "KeepAlive", u32::MAX - 1),
            ("LOW", "BatteryPercent", u32::MAX - 2),
            ("::a::N", "QueueLength", u32::MAX - 3),
        ]
    );
    let trigger = drafted.declaration.trigger.to_string();
    assert_eq!(
        trigger,
        "control_channel(\"4294967295\", keep_alive = 4294967294)"
    );
    let once = self::drafted("trigger = time(MINUTES, once)");
    assert_eq!(
        once.declaration.trigger.to_string(),
        "time(4294967295, once)"
    );
    for (text, code) in [
        ("trigger = time(N)", "constant_in_text"),
        ("trigger = time(15), priority = N", "number_expected"),
        ("trigger = time(15), handle = N", "handle_in_text"),
        ("trigger = time(15), condition = self::x", "relative_path"),
    ] {
        let mistakes = feed(Draft::from_text(), text).unwrap_err();
        assert_eq!(mistakes[0].rule.code, code, "{text}");
    }
}

#[test]
fn conditions_of_the_users_own_keep_their_path() {
    let text = "trigger = time(15), condition = internet && (app::net::vpn_up || crate::a::b)";
    let drafted = drafted(text);
    let paths: Vec<&str> = drafted
        .user_conditions
        .iter()
        .map(|own| &text[own.0.clone()])
        .collect();
    assert_eq!(paths, ["app::net::vpn_up", "crate::a::b"]);
    let condition = drafted.declaration.condition.unwrap();
    let own = Predicate::User("app::net::vpn_up".to_owned());
    assert!(condition.predicates().contains(&&own));
    assert_eq!(
        condition.to_string(),
        "internet && (app::net::vpn_up || crate::a::b)"
    );
}

#[test]
fn fields_are_read_by_the_same_rules() {
    let identity = || Identity {
        default_name: "app::task".to_owned(),
        function: "app::task".to_owned(),
        description: None,
    };
    let read = |fields: &[(&str, FieldValue)]| {
        let fields = fields
            .iter()
            .map(|(word, value)| ((*word).to_owned(), value.clone()));
        Declaration::from_fields(identity(), fields)
    };
    let declaration = read(&[
        ("trigger", "system(user_away, once)".into()),
        ("host", "process(\"media\")".into()),
        ("name", "renamed".into()),
        // As an environment variable holds them.
        ("priority", "-5".into()),
        ("standby", "true".into()),
        ("nice", FieldValue::Int(-3)),
        ("register", false.into()),
    ])
    .unwrap();
    assert_eq!(declaration.name, "renamed");
    assert!(matches!(
        declaration.trigger,
        Trigger::System { once: true, .. }
    ));
    assert_eq!(
        declaration.host,
        Host::Process {
            group: Some("media".to_owned())
        }
    );
    assert_eq!(
        (declaration.options.priority, declaration.options.nice),
        (-5, Some(-3))
    );
    assert!(declaration.options.standby && !declaration.options.register);

    let mistakes = read(&[
        ("condition", "internet && internte".into()),
        ("timeout", FieldValue::Int(10)),
        ("standby", "".into()),
        ("overlap", "queue(".into()),
        ("colour", "red".into()),
    ])
    .unwrap_err();
    let told: Vec<_> = mistakes
        .iter()
        .map(|mistake| {
            (
                mistake.argument.as_deref(),
                mistake.rule.code,
                mistake.at.clone(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (Some("condition"), "unknown_condition", 12..20),
            (Some("timeout"), "duration_text", 0..2),
            (Some("standby"), "flag_value", 0..0),
            (Some("overlap"), "unbalanced", 5..6),
            (Some("colour"), "unknown_argument", 0..3),
            (None, "missing_trigger", 0..0),
        ]
    );
    assert_eq!(
        mistakes[3].to_string(),
        "overlap: `(` is not closed\n  help: add `)`"
    );
    // A trigger that is broken is not missing.
    let mistakes = read(&[("trigger", "time(".into())]).unwrap_err();
    assert_eq!(mistakes.len(), 1);
}

fn named() -> Identity {
    Identity {
        default_name: "app::sync".to_owned(),
        function: "app::sync".to_owned(),
        description: None,
    }
}

#[test]
fn a_field_may_be_written_as_in_the_attribute() {
    let read = |word: &str, value: &str| {
        let fields = [("trigger", "time(15)"), (word, value)];
        let fields = fields.map(|(word, value)| (word.to_owned(), value.into()));
        Declaration::from_fields(named(), fields.into_iter())
    };
    let of_process = ("sandbox", "read = [\"/etc\"]");
    for (word, inner) in [("retry", "max = 5"), ("env", "A = \"1\""), of_process] {
        let bare = read(word, inner).map_err(|mistakes| mistakes.len());
        let whole = read(word, &format!("{word}({inner})")).map_err(|mistakes| mistakes.len());
        assert_eq!(whole, bare, "{word}");
    }
    assert!(read("retry", "retry(max = 5)").is_ok());
    let mistake = &read("retry", "retry(max = 0)").unwrap_err()[0];
    assert_eq!(mistake.argument.as_deref(), Some("retry"));
    assert_eq!(mistake.at, 12..13);
    assert!(read("overlap", "retry(max = 5)").is_err());
}

#[test]
fn a_field_that_is_wrong_is_helped_in_its_own_words() {
    let said = |fields: &[(&str, &str)]| {
        let fields = fields.iter();
        let fields = fields.map(|(word, value)| ((*word).to_owned(), (*value).into()));
        let mistakes = Declaration::from_fields(named(), fields).unwrap_err();
        mistakes[0].rule.to_string()
    };
    let time = ("trigger", "time(15)");
    assert_eq!(
        said(&[time, ("trigger", "time(20)")]),
        "a declaration has one trigger, this is a second one\n  help: make another registration for it, with a name of its own"
    );
    assert!(said(&[("trigger", "time(15) || startup")]).contains("make a second registration,"));
    for text in ["0 8 * * Mon", "*/5 * * * *"] {
        assert_eq!(
            said(&[("trigger", text)]),
            format!(
                "`trigger` takes a word, not the schedule `\"{text}\"`\n  help: write `cron(\"{text}\")`"
            )
        );
    }
    assert!(!said(&[("trigger", "0 8 * *")]).contains("cron"));
    let quoted = said(&[time, ("timeout", "\"10m\"")]);
    assert!(
        quoted.ends_with("\n  help: leave the inner quotes out: `10m`"),
        "{quoted}"
    );
    let plain = said(&[time, ("timeout", "10x")]);
    assert!(!plain.contains("inner quotes"), "{plain}");
}

#[test]
fn contradictions_across_several_conditions_of_an_attribute() {
    let all =
        declared("trigger = time(15), condition = internet || ac_power, condition = device_idle");
    let Some(Condition::All(parts)) = all.condition else {
        panic!("two conditions hold together");
    };
    assert_eq!(parts.len(), 2);
}

proptest::proptest! {
    #[test]
    fn no_tokens_panic(words in proptest::collection::vec(proptest::sample::select(vec![
        "trigger", "condition", "retry", "sandbox", "env", "host", "overlap", "=", ",", "(", ")",
        "[", "]", "!", "&&", "||", "|", "::", "-", "time", "device", "cron", "internet", "self",
        "battery_above", "load_below", "15", "0.8", "10s", "\"10s\"", "\"* * * * *\"", "once",
        "max", "backoff", "exponential", "queue", ";", "\"time(15)\"", "\"\"",
    ]), 0..24)) {
        // Brackets are left as they fall: the caller's tokens need not pair up.
        let tokens: Vec<Token> = words.iter().enumerate().map(|(index, word)| {
            let kind = match word.chars().next() {
                Some('(' | '[') => TokenKind::Open,
                Some(')' | ']') => TokenKind::Close,
                Some('"') => TokenKind::Text,
                Some(c) if c.is_ascii_digit() => TokenKind::Number,
                Some(c) if c.is_alphabetic() => TokenKind::Word,
                Some(';') => TokenKind::Other,
                _ => TokenKind::Mark,
            };
            Token::new(kind, word.trim_matches('"'), index..index + 1)
        }).collect();
        for keyword in ["trigger", "condition", "retry", "sandbox", "env", "host", "overlap"] {
            let mut draft = Draft::new();
            draft.argument(Token::new(TokenKind::Word, keyword, 0..1), tokens.clone());
            let identity = Identity {
                default_name: "a".to_owned(), function: "a".to_owned(), description: None,
            };
            if let Err(mistakes) = draft.finish(identity, 0..30) {
                proptest::prop_assert!(!mistakes.is_empty());
            }
        }
    }
}
