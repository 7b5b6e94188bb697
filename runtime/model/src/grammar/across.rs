//! Rules that need more than one argument.

use super::Mistake;
use super::draft::{Places, Read, Source};
use super::placed::Placed;
use super::scope::Scope;
use crate::word::TRIGGERS;
use crate::{Delivery, Host, Overlap, Rule, Trigger};

/// What only a process of its own can honour.
pub(super) const OF_A_PROCESS: [&str; 6] = [
    "memory",
    "cpu",
    "sandbox",
    "multiple_instances",
    "nice",
    "env",
];

impl Scope {
    pub(super) fn across(&mut self, read: &Read, condition: Option<&Placed>, places: &Places) {
        if !places.given("trigger") && !read.trigger_misplaced {
            let rule = Rule::new("missing_trigger", "the task has no `trigger`");
            let rule = rule.help("write `trigger = time(15)`, or `trigger = application` for a task that the app asks for");
            self.mistake(rule, places.value("trigger"));
        }
        if let Some(mut mistake) = condition.and_then(Placed::contradiction) {
            let quoted = mistake.also.iter().any(|(at, _)| *at == mistake.at);
            if quoted && self.source == Source::Tokens {
                mistake.also.clear();
                let help = "write the condition without quotes for an error at the exact place";
                mistake.rule = mistake.rule.help(help);
            }
            self.mistakes.push(mistake);
        }
        if self.source == Source::Text && places.given("handle") {
            let rule = Rule::new("handle_in_text", "`handle` names a type of the program");
            self.mistake(
                rule.help("write it in the attribute"),
                places.keyword("handle"),
            );
        }
        match &read.host {
            Some(Host::InProcess) => self.in_process(read, places),
            Some(Host::Process { group }) => self.process(read, group.as_deref(), places),
            None => {}
        }
        if let Some(trigger) = &read.trigger {
            self.by_trigger(trigger, read, places);
        }
        self.between_options(read, places);
    }

    fn in_process(&mut self, read: &Read, places: &Places) {
        if let Some(trigger) = &read.trigger
            && matches!(
                trigger,
                Trigger::DeviceUse | Trigger::DeviceServicing | Trigger::Voip
            )
        {
            let word = TRIGGERS.word(trigger);
            let rule = Rule::new(
                "host_of_trigger",
                format!("`{word}` does not run in the app's own process"),
            );
            let mut mistake =
                Mistake::new(rule.help("add `host = process`"), places.value("trigger"));
            if places.given("host") {
                mistake = mistake.also(places.value("host"), "the host is stated here");
            }
            self.mistakes.push(mistake);
        }
        for argument in OF_A_PROCESS {
            let off = argument == "multiple_instances" && !read.options.multiple_instances;
            if !places.given(argument) || off {
                continue;
            }
            let rule = Rule::new(
                "process_argument",
                format!("`{argument}` needs a process of its own, and this task runs in the app's"),
            );
            let rule = rule.help(format!("add `host = process`, or remove `{argument}`"));
            let mut mistake = Mistake::new(rule, places.keyword(argument));
            if places.given("host") {
                mistake = mistake.also(places.value("host"), "the host is stated here");
            }
            self.mistakes.push(mistake);
        }
    }

    fn process(&mut self, read: &Read, group: Option<&str>, places: &Places) {
        let host = || places.value("host");
        let alone = [
            ("multiple_instances", read.options.multiple_instances),
            ("cpu", read.options.cpu.is_some()),
        ];
        for (argument, _) in alone.into_iter().filter(|(_, asked)| *asked) {
            let Some(group) = group else { break };
            let rule = Rule::new(
                "instances_in_group",
                format!(
                    "`{argument}` gives each run its own process, and the group `{group}` shares one"
                ),
            );
            let rule = rule.help(format!("write `host = process`, or remove `{argument}`"));
            let mistake = Mistake::new(rule, places.keyword(argument));
            self.mistakes
                .push(mistake.also(host(), "the group is named here"));
        }
        if places.given("on_overrun") {
            let rule = Rule::new(
                "overrun_of_process",
                "`on_overrun` is for tasks in the app's process; another process is killed",
            );
            let mistake = Mistake::new(rule.help("remove it"), places.keyword("on_overrun"));
            self.mistakes
                .push(mistake.also(host(), "the host is stated here"));
        }
        if read.options.delivery == Delivery::Volatile {
            let rule = Rule::new(
                "volatile_process",
                "`delivery = volatile` is for tasks in the app's process",
            );
            let rule = rule.help("remove `host`, or write `delivery = at_most_once`");
            let mistake = Mistake::new(rule, places.value("delivery"));
            self.mistakes
                .push(mistake.also(host(), "the host is stated here"));
        }
    }

    fn by_trigger(&mut self, trigger: &Trigger, read: &Read, places: &Places) {
        let word = TRIGGERS.word(trigger);
        if *trigger == Trigger::DeviceUse && places.given("condition") {
            let rule = Rule::new("device_use_condition", "`device_use` takes no condition");
            let rule = rule.help("remove it: the app asks for the run and is answered at once");
            let mistake = Mistake::new(rule, places.keyword("condition"));
            self.mistakes
                .push(mistake.also(places.value("trigger"), "the trigger is stated here"));
        }
        for argument in ["jitter", "missed"] {
            if trigger.is_timed() || !places.given(argument) {
                continue;
            }
            let rule = Rule::new(
                "timed_argument",
                format!("`{argument}` is for due times, and `{word}` has none"),
            );
            let rule = rule
                .help("remove it; `time`, `every`, `cron`, `at` and `maintenance` have due times");
            let mistake = Mistake::new(rule, places.keyword(argument));
            self.mistakes
                .push(mistake.also(places.value("trigger"), "the trigger is stated here"));
        }
        let always_gated = matches!(trigger, Trigger::Maintenance { .. });
        if read.options.cancel_on_condition_loss && !places.given("condition") && !always_gated {
            let rule = Rule::new(
                "loss_without_condition",
                "`cancel_on_condition_loss` needs a `condition` to lose",
            );
            let rule = rule.help("add `condition = internet`, or remove it");
            self.mistake(rule, places.keyword("cancel_on_condition_loss"));
        }
        let period = match trigger {
            Trigger::Every { period, .. } => Some(*period),
            // A stand-in is far above every jitter.
            Trigger::Time { minutes, .. } | Trigger::Maintenance { minutes, .. } => {
                Some(std::time::Duration::from_secs(u64::from(*minutes) * 60))
            }
            _ => None,
        };
        if let (Some(period), Some(jitter)) = (period, read.options.jitter)
            && jitter > period
        {
            let rule = Rule::new(
                "jitter_range",
                "`jitter` is longer than the period it spreads",
            );
            let mistake = Mistake::new(
                rule.help("write a part of the period"),
                places.value("jitter"),
            );
            self.mistakes
                .push(mistake.also(places.value("trigger"), "the period is stated here"));
        }
    }

    fn between_options(&mut self, read: &Read, places: &Places) {
        let options = &read.options;
        if let (Some(Overlap::Allow(n)), Some(key)) = (options.overlap, &options.exclusive)
            && n > 1
        {
            let rule = Rule::new(
                "allow_exclusive",
                format!(
                    "`overlap = allow` asks for runs at once, and `exclusive = \"{key}\"` for one"
                ),
            );
            let mistake = Mistake::new(rule.help("remove one of them"), places.value("overlap"));
            self.mistakes
                .push(mistake.also(places.keyword("exclusive"), "one at a time is stated here"));
        }
        if options.delivery == Delivery::AtMostOnce && options.retry.is_some() {
            let rule = Rule::new(
                "retry_at_most_once",
                "`retry` runs again what `delivery = at_most_once` runs one time",
            );
            let mistake = Mistake::new(rule.help("remove one of them"), places.keyword("retry"));
            self.mistakes
                .push(mistake.also(places.value("delivery"), "the delivery is stated here"));
        }
    }
}
