//! Registrations: what the user overrides, what is made at run time, what a launch keeps.

use bgtask::{
    App, Code, Error, EventKind, Events, Holds, OnDuplicate, Origin, Outcome, Registration,
    RequestOutcome, Standing, Suppression,
    inspect::{self, Request, Response, TaskListing, TaskState},
    prelude::*,
};
use jiff::{SignedDuration, Timestamp};
use libtest_mimic::Trial;
use serde_json::json;

use crate::{
    checked,
    harness::{self, Gate, Home, Process},
    held,
    tasks::GATE,
    trial,
};

#[background_task(name = "sweep the attic", trigger = time(15), missed = skip)]
async fn sweep_the_attic() {}

/// Runs under names of its own, when a registration says so.
#[background_task(name = "listener", trigger = custom("nobody raises this"), register = false)]
async fn listens(task: TaskContext, Args(text): Args<String>) -> String {
    format!("{} heard {text}", task.task())
}

/// Fails after it was let through.
#[background_task(name = "fails at the gate", trigger = custom("nobody raises this"), register = false)]
async fn fails_at_the_gate(_: Args<String>) -> Result<(), String> {
    harness::visit_async(&harness::home().join("gate"), "here").await;
    Err("as asked".to_owned())
}

#[background_task(name = "at the gate", trigger = custom("nobody raises this"), register = false)]
async fn at_the_gate() {}

/// The app, for a body that changes its own registration.
static APP: std::sync::OnceLock<App> = std::sync::OnceLock::new();

#[background_task(name = "leaves by itself", trigger = application, register = false)]
async fn leaves_by_itself(task: TaskContext) -> Result<(), Cancelled> {
    let app = APP.get().expect("set before it was requested");
    let own = app.registered(task.task()).await.expect("it is there");
    own.unregister(true).await.expect("removed");
    task.cancelled().await;
    task.checkpoint()
}

#[background_task(name = "of a library", trigger = custom("library"), registration_group = "lib")]
async fn of_a_library(task: TaskContext) -> String {
    format!("{} itself", task.task())
}

#[background_task(name = "stays", trigger = application, register = false, overlap = queue(1))]
async fn stays(Args(gate): Args<std::path::PathBuf>) {
    harness::visit_async(&gate, "here").await;
}

#[background_task(name = "moves in", trigger = system(servicing_complete))]
async fn moves_in() {}

/// No declared task asks for it.
#[background_condition]
async fn only_for_builders(report: ConditionReporter) {
    report.set(true);
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = [
        "what_is_made_at_run_time_runs_under_its_own_name",
        "registering_again_never_hits_a_limit",
        "validate_tells_all_that_is_wrong",
        "a_name_that_is_declared_is_taken",
        "of_one_name_there_may_be_several",
        "one_that_ended_is_not_meant_by_its_name_any_more",
        "a_new_registration_waits_for_the_run_of_the_old_one",
        "what_waits_runs_as_the_new_registration_says",
        "what_fails_is_tried_again_as_the_new_registration_says",
        "unregistering_asks_what_runs_to_stop_or_lets_it_finish",
        "a_task_may_unregister_itself",
        "what_is_paused_fires_and_is_held",
        "what_is_disabled_does_not_fire",
        "a_purge_leaves_groups_alone",
        "a_handler_of_a_group_runs_instead",
        "what_was_unregistered_is_declared_still",
        "a_condition_that_only_a_builder_uses_is_watched",
    ]
    .map(checked)
    .into();
    trials.extend(across_launches());
    trials
}

fn across_launches() -> Vec<Trial> {
    vec![
        trial("what_is_made_at_run_time_survives_a_restart", || {
            let home = Home::new();
            home.start("makes_one").succeeds();
            home.start("has_that_one").succeeds();
        }),
        // https://github.com/CommunityToolkit/WindowsCommunityToolkit/pull/364
        trial("an_unchanged_registration_keeps_its_due_time", || {
            let home = Home::new();
            for _ in 0..3 {
                home.start("tells_its_registration").succeeds();
            }
            let told = home.told();
            assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
        }),
        // https://github.com/microsoft/TemplateStudio/issues/2505
        trial("a_changed_trigger_applies_at_the_next_launch", || {
            let home = Home::new();
            home.start("tells_its_registration").succeeds();
            home.configure("[task.\"sweep the attic\"]\ntrigger = 'time(60)'\n");
            home.start("tells_its_registration").succeeds();
            let told = home.told();
            assert!(told[0].ends_with(" time(15) added"), "{told:?}");
            assert!(told[1].ends_with(" time(60) replaced"), "{told:?}");
            let due = |told: &str| told.split(' ').next().map(str::to_owned);
            assert_ne!(due(&told[0]), due(&told[1]));
        }),
        // https://github.com/microsoft/WindowsAppSDK/issues/5870
        trial("an_orphan_does_not_fire_in_a_loop", || {
            let home = Home::new();
            home.start("makes_one").succeeds();
            let entry = |entry: &str| {
                let store = rusqlite::Connection::open(home.store().join("store.db")).unwrap();
                let changed = "UPDATE registration SET entry = ?1 WHERE name = 'mine'";
                assert_eq!(store.execute(changed, [entry]).unwrap(), 1);
            };
            entry("app::gone");
            for _ in 0..2 {
                home.start("has_an_orphan").succeeds();
            }
            entry("listener");
            home.start("has_that_one").succeeds();
        }),
        trial("what_was_fired_by_hand_outlives_its_one_shot", || {
            let home = Home::new();
            home.start("ends_a_one_shot_with_one_left").succeeds();
            let mut command = home.command("runs_the_one_left");
            command.env("GATE_OPEN", "1");
            Process::start(command).succeeds();
        }),
        trial("what_was_chosen_counts_while_quarantine_hides_it", || {
            let home = Home::new();
            home.start("makes_a_disabled_one").succeeds();
            let entry = |entry: &str| {
                let store = rusqlite::Connection::open(home.store().join("store.db")).unwrap();
                let changed = "UPDATE registration SET entry = ?1 WHERE name = 'mine'";
                assert_eq!(store.execute(changed, [entry]).unwrap(), 1);
            };
            entry("app::gone");
            home.start("cannot_pause_the_hidden_one").succeeds();
            entry("listener");
            home.start("is_disabled_as_before").succeeds();
            entry("app::gone");
            home.start("enables_the_hidden_one").succeeds();
            entry("listener");
            home.start("has_that_one").succeeds();
        }),
        trial(
            "servicing_completes_at_the_first_launch_of_another_build",
            || {
                let home = Home::new();
                for _ in 0..2 {
                    home.start("was_serviced_never").succeeds();
                }
                let other = another_build(&home);
                for _ in 0..2 {
                    let mut command = std::process::Command::new(&other);
                    home.surround(&mut command, "was_serviced_once");
                    Process::start(command).succeeds();
                }
            },
        ),
        trial(
            "what_the_user_chose_outlives_the_launch_and_a_change",
            || {
                let home = Home::new();
                home.start("disables_it").succeeds();
                home.configure("[task.\"sweep the attic\"]\ntrigger = 'time(60)'\n");
                home.start("is_disabled_still").succeeds();
            },
        ),
        trial("a_schedule_is_overridden_without_a_build", || {
            let home = Home::new();
            let file = "[task.\"sweep the attic\"]\ntrigger = 'time(60)'\n";
            home.configure(file);
            home.start("runs_as_the_file_says").succeeds();
            home.configure("");
            home.start("runs_as_declared").succeeds();
            let mut command = home.command("runs_as_the_variable_says");
            command.env("BGTASK_SWEEP_THE_ATTIC_TRIGGER", "every(\"2h\")");
            command.env("BGTASK_SWEEP_THE_ATTIC_CONDITION", "internet");
            Process::start(command).succeeds();
        }),
        trial("an_override_of_no_task_is_told", || {
            let home = Home::new();
            home.configure("[task.\"sweep the attick\"]\ntrigger = 'time(60)'\n");
            home.start("the_override_names_no_task").succeeds();
        }),
        trial("a_wrong_override_changes_nothing_that_is_kept", || {
            let home = Home::new();
            let right = "[task.\"sweep the attic\"]\ntrigger = 'time(60)'\n";
            home.configure(right);
            home.start("tells_its_registration").succeeds();
            home.configure("[task.\"sweep the attic\"]\n\ntrigger = 'tmie(60)'\n");
            home.start("the_override_is_refused").succeeds();
            home.configure(right);
            home.start("tells_its_registration").succeeds();
            let told = home.told();
            assert_eq!(told[0], told[1]);

            // Where nothing was kept the declared schedule counts once the override is gone.
            let home = Home::new();
            home.configure("[task.\"sweep the attic\"]\n\ntrigger = 'tmie(60)'\n");
            home.start("the_override_is_refused").succeeds();
            home.configure("");
            home.start("runs_as_declared").succeeds();
        }),
        trial(
            "a_wrong_override_is_refused_and_nothing_runs_instead",
            || {
                let home = Home::new();
                home.configure("[task.\"sweep the attic\"]\n\ntrigger = 'tmie(60)'\n");
                home.start("the_override_is_refused").succeeds();
                // What the task says beside it has to fit the new trigger too.
                home.configure("[task.\"sweep the attic\"]\n\ntrigger = 'custom(\"dust\")'\n");
                home.start("the_override_does_not_fit").succeeds();
                home.configure("[task.\"sweep the attic\"]\n\ncondition = 'crate::nothing'\n");
                home.start("the_override_names_nothing").succeeds();
            },
        ),
    ]
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    match name {
        "what_is_made_at_run_time_runs_under_its_own_name" => {
            make_one(app).await;
            has_that_one(app).await;
        }
        "makes_one" => make_one(app).await,
        "has_that_one" => has_that_one(app).await,
        "has_an_orphan" => has_an_orphan(app).await,
        "makes_a_disabled_one" => {
            make_one(app).await;
            app.registered("mine")
                .await
                .unwrap()
                .disable()
                .await
                .unwrap();
        }
        "cannot_pause_the_hidden_one" => {
            let mut mine = app.registered("mine").await.unwrap();
            for refused in [mine.pause().await, mine.resume().await] {
                assert_eq!(refused.unwrap_err().code(), Code::NotAccepted);
            }
            assert!(matches!(mine.standing(), Standing::Quarantined { .. }));
        }
        "is_disabled_as_before" => {
            let mine = app.registered("mine").await.unwrap();
            assert!(matches!(mine.standing(), Standing::Disabled { .. }));
        }
        "enables_the_hidden_one" => {
            app.registered("mine")
                .await
                .unwrap()
                .enable()
                .await
                .unwrap();
        }
        "registering_again_never_hits_a_limit" => {
            for minute in 15..115 {
                let mine = app.registration("mine").entry_named("stays");
                let mine = mine.trigger("application").set("priority", minute);
                mine.register().await.unwrap();
            }
            let all = app.all_tasks().await.unwrap();
            assert_eq!(all.iter().filter(|one| one.name() == "mine").count(), 1);
        }
        "validate_tells_all_that_is_wrong" => all_that_is_wrong(app).await,
        "a_name_that_is_declared_is_taken" => {
            let taken = app.registration("sweep the attic").entry_named("listener");
            let taken = taken.trigger("custom(\"dust\")");
            let errors = taken.validate().await.unwrap_err();
            assert_eq!(codes(&errors), [Code::DuplicateName]);
            let error = taken.register().await.unwrap_err();
            assert_eq!(error.code(), Code::DuplicateName);
            // One that is declared only may have it.
            let free = app.registration("listener").entry::<listens>();
            free.trigger("custom(\"dust\")").register().await.unwrap();
        }
        "of_one_name_there_may_be_several" => several(app).await,
        "one_that_ended_is_not_meant_by_its_name_any_more" => again(app).await,
        "a_new_registration_waits_for_the_run_of_the_old_one" => replaced(app).await,
        "what_waits_runs_as_the_new_registration_says" => {
            make_one(app).await;
            let mut mine = app.registered("mine").await.unwrap();
            mine.pause().await.unwrap();
            let mut events = app.events();
            assert_eq!(app.raise("news", "it").await.unwrap().len(), 1);
            let new = app.registration("mine").entry::<of_a_library>();
            let new = new.trigger("custom(\"news\")").register();
            new.await.unwrap().resume().await.unwrap();
            let value = json!("mine itself");
            assert_eq!(
                ended(&mut events, "mine").await,
                Outcome::Completed { value }
            );
        }
        "what_fails_is_tried_again_as_the_new_registration_says" => tried_again(app).await,
        "ends_a_one_shot_with_one_left" => {
            GATE.send_replace(true);
            let mut events = app.events();
            let once = app.registration("once").entry::<at_the_gate>();
            let once = once.trigger("every(\"50ms\", once)");
            let once = once.condition("app::tasks::gate_open");
            once.register().await.unwrap();
            ended(&mut events, "once").await;
            GATE.send_replace(false);
            while app.why("once").await.unwrap().facts[0].holds == Holds::Yes {
                tokio::task::yield_now().await;
            }
            app.fire("once", None).await.unwrap();
            held(&mut events, "once").await;
            let all = app.registrations().await.unwrap();
            let once = all.iter().find(|one| one.name == "once").unwrap();
            assert!(once.ended.is_some(), "{once:?}");
        }
        "runs_the_one_left" => {
            let mut events = app.events();
            while app.history(Some("once"), 10).await.unwrap().len() < 2 {
                events.next().await.unwrap();
            }
        }
        "unregistering_asks_what_runs_to_stop_or_lets_it_finish" => unregistered(app).await,
        "a_task_may_unregister_itself" => {
            APP.set(app.clone()).unwrap();
            let own = app.registration("goes").entry::<leaves_by_itself>();
            let own = own.trigger("application").register().await.unwrap();
            let run = own.request::<leaves_by_itself>(()).await.unwrap();
            let outcome = run.allowed().unwrap().ended().await.unwrap();
            assert!(is_aborted(&outcome), "{outcome}");
            assert_eq!(
                app.registered("goes").await.unwrap_err().code(),
                Code::UnknownTask
            );
        }
        "what_is_paused_fires_and_is_held" => paused(app).await,
        "what_is_disabled_does_not_fire" => disabled(app).await,
        "a_purge_leaves_groups_alone" => {
            make_one(app).await;
            app.unregister_all(false).await.unwrap();
            assert!(app.all_tasks().await.unwrap().is_empty());
            let groups = app.all_groups().await.unwrap();
            let [lib] = &groups[..] else {
                panic!("{groups:?}");
            };
            assert_eq!(lib.id(), "lib");
            let members = lib.all_tasks().await.unwrap();
            assert_eq!(members[0].name(), "of a library");
            assert_eq!(members[0].group(), Some("lib"));
            lib.unregister_all(false).await.unwrap();
            assert!(app.all_groups().await.unwrap().is_empty());
            assert!(app.group("lib").all_tasks().await.unwrap().is_empty());
        }
        "a_handler_of_a_group_runs_instead" => {
            assert_eq!(
                heard(app, "library", json!(null)).await,
                "of a library itself"
            );
            app.group("lib").on_activated(async |task: TaskContext| {
                Ok::<_, String>(format!("a handler for {}", task.task()))
            });
            assert_eq!(
                heard(app, "library", json!(null)).await,
                "a handler for of a library"
            );
            app.group("lib")
                .on_activated(async |_| Err::<(), _>("as asked"));
            let mut events = app.events();
            app.raise("library", ()).await.unwrap();
            let outcome = ended(&mut events, "of a library").await;
            assert!(matches!(outcome, Outcome::Failed { error } if error == "as asked"));
        }
        "what_was_unregistered_is_declared_still" => {
            let swept = app.registered("sweep the attic").await.unwrap();
            let id = swept.id();
            swept.unregister(false).await.unwrap();
            let error = app.why("sweep the attic").await.unwrap_err();
            assert_eq!(error.code(), Code::UnknownTask);
            let diff = app.register_declared().await.unwrap();
            assert_eq!(diff.added, ["sweep the attic"]);
            assert_eq!(app.launch_diff().await.unwrap(), diff);
            assert_ne!(app.registered("sweep the attic").await.unwrap().id(), id);
            let again = app.register_declared().await.unwrap();
            assert!(again.added.is_empty() && again.replaced.is_empty());
        }
        "a_condition_that_only_a_builder_uses_is_watched" => {
            let mine = app.registration("mine").entry::<listens>();
            let mine = mine.trigger("custom(\"news\")");
            let mine = mine.condition("app::registrations::only_for_builders");
            mine.register().await.unwrap();
            assert_eq!(heard(app, "news", json!("it")).await, "mine heard it");
        }
        "tells_its_registration" => tell(app).await,
        "was_serviced_never" => {
            assert!(app.history(Some("moves in"), 0).await.unwrap().is_empty());
        }
        "was_serviced_once" => {
            let ran = async || app.history(Some("moves in"), 0).await.unwrap();
            while ran().await.is_empty() {
                tokio::task::yield_now().await;
            }
            let all = app.history(Some("moves in"), 0).await.unwrap();
            assert_eq!(all.len(), 1);
        }
        "disables_it" => {
            let mut swept = app.registered("sweep the attic").await.unwrap();
            swept.disable().await.unwrap();
        }
        "is_disabled_still" => {
            let swept = app.registered("sweep the attic").await.unwrap();
            assert_eq!(swept.trigger(), "time(60)");
            assert!(matches!(swept.standing(), Standing::Disabled { .. }));
        }
        "runs_as_declared" => comes_due_every(app, 15, None).await,
        "runs_as_the_file_says" => {
            let file = harness::home().join("config/bgtask").join(harness::APP);
            let told = format!(
                "trigger `time(60)` by {}.toml:2, declared as `time(15)`",
                file.display()
            );
            comes_due_every(app, 60, Some(&told)).await;
        }
        "runs_as_the_variable_says" => {
            let told = "trigger `every(\"2h\")` by BGTASK_SWEEP_THE_ATTIC_TRIGGER, declared as `time(15)`; \
                        condition `internet` by BGTASK_SWEEP_THE_ATTIC_CONDITION, declared as none";
            comes_due_every(app, 120, Some(told)).await;
        }
        "the_override_is_refused" => {
            refused(app, "toml:3: trigger: unknown trigger `tmie`").await;
        }
        "the_override_does_not_fit" => {
            refused(app, "toml:3: missed: `missed` is for due times").await;
        }
        "the_override_names_no_task" => {
            let mut live = inspect::connect(harness::APP).await.unwrap().unwrap();
            let Response::List { warnings, .. } = live.ask(&Request::List).await.unwrap() else {
                panic!("a list");
            };
            let [warning] = &warnings[..] else {
                panic!("{warnings:?}");
            };
            let told =
                ".toml:1: no task is meant by `sweep the attick`; did you mean `sweep the attic`?";
            assert!(warning.ends_with(told), "{warning}");
            comes_due_every(app, 15, None).await;
        }
        "the_override_names_nothing" => refused(app, "toml:3: ").await,
        _ => return false,
    }
    true
}

async fn listed(task: &str) -> TaskListing {
    let mut live = inspect::connect(harness::APP).await.unwrap().unwrap();
    let Response::List { tasks, .. } = live.ask(&Request::List).await.unwrap() else {
        panic!("a list");
    };
    tasks.into_iter().find(|one| one.task == task).unwrap()
}

async fn comes_due_every(app: &App, minutes: i64, told: Option<&str>) {
    let all = app.registrations().await.unwrap();
    let kept = all.iter().find(|one| one.name == "sweep the attic");
    let kept = kept.unwrap();
    let waits = kept.due.unwrap().duration_since(kept.created);
    assert_eq!(
        waits.as_mins(),
        SignedDuration::from_mins(minutes).as_mins()
    );
    let why = app.why("sweep the attic").await.unwrap();
    let shown = listed("sweep the attic").await;
    for overridden in [&why.overridden, &shown.overridden] {
        let mut parts: Vec<_> = overridden
            .iter()
            .flat_map(|told| told.split("; "))
            .collect();
        let mut expected: Vec<_> = told.iter().flat_map(|told| told.split("; ")).collect();
        parts.sort_unstable();
        expected.sort_unstable();
        assert_eq!(parts, expected);
    }
    assert_eq!(why.to_string().contains("overridden: "), told.is_some());
}

async fn refused(app: &App, part: &str) {
    let error = app.fire("sweep the attic", None).await.unwrap_err();
    assert_eq!(error.code(), Code::Unsupported);
    let why = app.why("sweep the attic").await.unwrap();
    let said = why.refused.unwrap();
    assert!(said.contains(part) && error.rule().contains(part), "{said}");
    assert_eq!(why.next_due, None);
    let shown = listed("sweep the attic").await;
    assert_eq!(shown.state, TaskState::Refused);
}

async fn make_one(app: &App) {
    let mine = app.registration("mine").entry::<listens>();
    let mine = mine.trigger("custom(\"news\")").set("timeout", "2m");
    mine.validate().await.unwrap();
    let mine = mine.register().await.unwrap();
    assert_eq!((mine.name(), mine.entry()), ("mine", "listener"));
    assert_eq!(mine.origin(), Origin::Built);
}

async fn has_that_one(app: &App) {
    assert_eq!(heard(app, "news", json!("it")).await, "mine heard it");
    let mine = app.registered("mine").await.unwrap();
    assert_eq!(mine.trigger(), "custom(\"news\")");
    assert_eq!(*mine.standing(), Standing::Enabled);
    let why = mine.why().await.unwrap();
    assert_eq!(why.origin, "built");
    assert_eq!(why.entry.as_deref(), Some("listener"));
    assert_eq!(app.history(Some("mine"), 1).await.unwrap().len(), 1);
    let by_id = &mine.id().to_string()[..];
    assert_eq!(app.registered(by_id).await.unwrap().name(), "mine");
    let shown = listed("mine").await;
    assert_eq!(shown.origin, Some(Origin::Built));
    assert_eq!(shown.entry.as_deref(), Some("listener"));
}

async fn has_an_orphan(app: &App) {
    let raised = app.raise("news", "it").await.unwrap();
    assert!(raised.is_empty(), "{raised:?}");
    let error = app.fire("mine", Some(json!("it"))).await.unwrap_err();
    assert!(
        error.rule().contains("`app::gone` is not linked"),
        "{error}"
    );
    let mine = app.registered("mine").await.unwrap();
    assert!(matches!(mine.standing(), Standing::Quarantined { .. }));
    assert!(app.history(Some("mine"), 1).await.unwrap().is_empty());
    let shown = listed("mine").await;
    assert_eq!(shown.standing.as_ref(), Some(mine.standing()));
}

/// Raises an event and tells what the one who hears it says.
async fn heard(app: &App, event: &str, arguments: serde_json::Value) -> String {
    let mut events = app.events();
    let [activation] = app.raise(event, arguments).await.unwrap()[..] else {
        panic!("one hears it");
    };
    let outcome = crate::event(&mut events, |event| match &event.kind {
        EventKind::Ended {
            activation: of,
            outcome,
            ..
        } if *of == activation => Some(outcome.clone()),
        _ => None,
    });
    match outcome.await {
        Outcome::Completed { value } => value.as_str().unwrap().to_owned(),
        other => panic!("{other}"),
    }
}

async fn ended(events: &mut Events, task: &str) -> Outcome {
    crate::event(events, |event| match &event.kind {
        EventKind::Ended { outcome, .. } if event.task == task => Some(outcome.clone()),
        _ => None,
    })
    .await
}

fn codes(errors: &[Error]) -> Vec<Code> {
    errors.iter().map(Error::code).collect()
}

fn is_aborted(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Cancelled {
            reason: CancelReason::Abort,
            ..
        }
    )
}

async fn all_that_is_wrong(app: &App) {
    let wrong = app.registration("mine").entry_named("app::nothing");
    let wrong = wrong.trigger("tmie(15)").condition("internet && nternet");
    let wrong = wrong
        .set("memory", "1GiB")
        .set("timeuot", "1m")
        .set("name", "x");
    let errors = wrong.validate().await.unwrap_err();
    let told = errors.iter().map(ToString::to_string).collect::<Vec<_>>();
    for (error, part) in told.iter().zip([
        "its entry point `app::nothing` is not linked",
        "`memory` belongs to the process",
        "`name` is given where the registration is begun",
        "unknown trigger `tmie`",
        "unknown condition `nternet`",
        "unknown argument `timeuot`",
    ]) {
        assert!(error.starts_with("`mine`: "), "{error}");
        assert!(error.contains(part) && error.contains("help: "), "{error}");
    }
    assert_eq!(told.len(), 6, "{told:#?}");
    // What is grammar, and cannot be done.
    let unable = app.registration("mine").entry_named("sweep the attic");
    let unable = unable
        .trigger("system(sms_received)")
        .set("network_requested", true);
    let errors = unable.validate().await.unwrap_err();
    assert_eq!(codes(&errors), [Code::Unsupported; 2], "{errors:#?}");
    let error = unable.register().await.unwrap_err();
    assert!(
        error.rule().contains("`system(sms_received)`")
            && error.rule().contains("network_requested")
    );
    // What the function takes, and the trigger does not give.
    let unfit = app
        .registration("mine")
        .entry::<listens>()
        .trigger("time(15)");
    let errors = unfit.validate().await.unwrap_err();
    assert_eq!(codes(&errors), [Code::InvalidDeclaration]);
    assert!(errors[0].rule().contains("gives no `Args`"), "{errors:?}");
    // Windows tells it as an error of the host
    // (https://learn.microsoft.com/windows/uwp/launch-resume/create-and-register-an-inproc-background-task).
    let unfit = app.registration("mine").entry_named("sweep the attic");
    let errors = unfit.trigger("device_use").validate().await.unwrap_err();
    assert!(
        codes(&errors).contains(&Code::HostModelUnsupported),
        "{errors:?}"
    );
    assert!(app.registered("mine").await.is_err(), "nothing was written");
}

async fn several(app: &App) {
    let mine = || {
        let mine = app.registration("mine").entry::<listens>();
        mine.trigger("custom(\"news\")")
    };
    let first = mine().register().await.unwrap();
    let kept = mine().on_duplicate(OnDuplicate::Keep).set("priority", 5);
    assert_eq!(kept.register().await.unwrap().id(), first.id());
    let refused = mine().on_duplicate(OnDuplicate::Error);
    let error = refused.register().await.unwrap_err();
    assert_eq!(error.code(), Code::DuplicateName);
    let second = mine().on_duplicate(OnDuplicate::Allow);
    let second = second.register().await.unwrap();
    assert_ne!(second.id(), first.id());
    assert_eq!(app.raise("news", "it").await.unwrap().len(), 2);
    for error in [
        app.why("mine").await.unwrap_err(),
        app.fire("mine", Some(json!("it"))).await.unwrap_err(),
        mine().register().await.unwrap_err(),
    ] {
        assert_eq!(error.code(), Code::Ambiguous, "{error}");
        let says = error.to_string();
        assert!(says.contains(&first.id().to_string()), "{says}");
    }
    assert_eq!(second.why().await.unwrap().registration, second.id());
    first.unregister(false).await.unwrap();
    app.why("mine").await.unwrap();
}

/// A one-shot that is registered again each time it has run.
async fn again(app: &App) {
    let mut ids = std::collections::HashSet::new();
    for on_duplicate in [
        OnDuplicate::Replace,
        OnDuplicate::Allow,
        OnDuplicate::Keep,
        OnDuplicate::Error,
    ] {
        let mut events = app.events();
        let mine = app.registration("mine").entry::<moves_in>();
        let mine = mine.trigger("every(\"1s\", once)");
        let mine = mine.on_duplicate(on_duplicate).register().await.unwrap();
        ids.insert(mine.id());
        assert_eq!(app.why("mine").await.unwrap().registration, mine.id());
        ended(&mut events, "mine").await;
    }
    assert_eq!(ids.len(), 4);
    let mut live = inspect::connect(harness::APP).await.unwrap().unwrap();
    let Response::List { tasks, .. } = live.ask(&Request::List).await.unwrap() else {
        panic!("a list");
    };
    let shown = tasks.iter().filter(|one| one.task == "mine").count();
    assert_eq!(shown, 1, "those that made room are forgotten");
}

/// A run goes on while its registration is replaced, and fails.
async fn tried_again(app: &App) {
    let gate = Gate::new(harness::home().join("gate"));
    let mut events = app.events();
    let made = async |entry: &str, retry: &str| {
        let mine = app.registration("mine").entry_named(entry);
        let mine = mine.trigger("custom(\"news\")").set("retry", retry);
        mine.register().await.unwrap()
    };
    let soon = "max = 1, backoff = fixed(\"10ms\")";
    for (entry, again) in [("fails at the gate", 1), ("listener", 2)] {
        made("fails at the gate", soon).await;
        app.raise("news", "it").await.unwrap();
        let visitor = gate.visitor();
        let retry = if again > 1 {
            soon
        } else {
            "max = 1, backoff = fixed(\"9h\")"
        };
        made(entry, retry).await;
        visitor.pass();
        let first = ended(&mut events, "mine").await;
        assert_eq!(first.word(), "failed", "{first}");
        if again > 1 {
            let value = json!("mine heard it");
            assert_eq!(
                ended(&mut events, "mine").await,
                Outcome::Completed { value }
            );
        } else {
            let why = app.why("mine").await.unwrap();
            let until = why.held[0].until.unwrap().duration_since(Timestamp::now());
            assert!(until > SignedDuration::from_hours(8), "{why}");
            app.registered("mine")
                .await
                .unwrap()
                .unregister(true)
                .await
                .unwrap();
        }
    }
}

async fn replaced(app: &App) {
    let gate = Gate::new(harness::home().join("gate"));
    let mine = || {
        let mine = app.registration("mine").entry::<stays>();
        mine.trigger("application").set("overlap", "queue(4)")
    };
    let old = mine().register().await.unwrap();
    let request = async |of: &Registration| {
        let run = of.request::<stays>(gate.path().into()).await.unwrap();
        run.allowed().unwrap()
    };
    let (runs, waits) = (request(&old).await, request(&old).await);
    let visitor = gate.visitor();
    let new = mine().set("priority", 1).register().await.unwrap();
    assert_ne!(new.id(), old.id());
    let last = request(&new).await;
    let why = new.why().await.unwrap();
    assert_eq!((why.running.len(), why.waiting), (1, 2), "{why}");
    visitor.pass();
    for _ in 0..2 {
        gate.visitor().pass();
    }
    for mut run in [runs, waits, last] {
        assert!(matches!(
            run.ended().await.unwrap(),
            Outcome::Completed { .. }
        ));
    }
}

async fn unregistered(app: &App) {
    let gate = Gate::new(harness::home().join("gate"));
    for cancel in [false, true] {
        let mine = app.registration("mine").entry::<stays>();
        let mine = mine.trigger("application").set("overlap", "queue(1)");
        let mine = mine.set("grace", "50ms").register().await.unwrap();
        let mut runs = Vec::new();
        let mut visitors = Vec::new();
        for _ in 0..2 {
            let run = mine.request::<stays>(gate.path().into()).await.unwrap();
            runs.push(run.allowed().unwrap());
            if visitors.is_empty() {
                visitors.push(gate.visitor());
            }
        }
        mine.clone().unregister(cancel).await.unwrap();
        let waited = runs.pop().unwrap().ended().await.unwrap();
        assert!(
            matches!(
                waited,
                Outcome::Suppressed {
                    why: Suppression::Removed
                }
            ),
            "{waited}"
        );
        if !cancel {
            visitors.remove(0).pass();
        }
        let ended = runs.pop().unwrap().ended().await.unwrap();
        assert_eq!(is_aborted(&ended), cancel, "{ended}");
        assert_eq!(matches!(ended, Outcome::Completed { .. }), !cancel);
        // Gone is gone, and that is no error.
        mine.clone().unregister(cancel).await.unwrap();
        assert_eq!(mine.why().await.unwrap_err().code(), Code::UnknownTask);
    }
}

async fn paused(app: &App) {
    make_one(app).await;
    let mut mine = app.registered("mine").await.unwrap();
    mine.pause().await.unwrap();
    let mut events = app.events();
    assert_eq!(app.raise("news", "it").await.unwrap().len(), 1);
    let reason = crate::held(&mut events, "mine").await;
    assert!(reason.contains("paused since"), "{reason}");
    // To enable is not to resume.
    mine.enable().await.unwrap();
    assert!(matches!(mine.standing(), Standing::Paused { .. }));
    mine.resume().await.unwrap();
    assert!(matches!(
        ended(&mut events, "mine").await,
        Outcome::Completed { .. }
    ));
}

async fn disabled(app: &App) {
    make_one(app).await;
    let mut mine = app.registered("mine").await.unwrap();
    mine.disable().await.unwrap();
    let mut events = app.events();
    assert!(app.raise("news", "it").await.unwrap().is_empty());
    crate::event(&mut events, |event| {
        let disabled = EventKind::Suppressed {
            activation: None,
            why: Suppression::Disabled,
        };
        (event.kind == disabled).then_some(())
    })
    .await;
    assert!(mine.reload().await.unwrap());
    assert_eq!(mine.suppressed(), 1);
    for error in [
        mine.pause().await.unwrap_err(),
        mine.resume().await.unwrap_err(),
    ] {
        assert_eq!(error.code(), Code::NotAccepted);
        assert_eq!(error.task_name(), Some("mine"));
        assert_eq!(error.help(), Some("`bgtask enable` ends that"));
    }
    mine.disable().await.unwrap();
    assert!(mine.reload().await.unwrap());
    assert!(matches!(mine.standing(), Standing::Disabled { .. }));
    let stays = app.registration("asked").entry::<stays>();
    let mut asked = stays.trigger("application").register().await.unwrap();
    asked.disable().await.unwrap();
    // https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.applicationtriggerresult
    let answer = asked.request::<stays>("gate".into()).await.unwrap();
    assert!(
        matches!(answer, RequestOutcome::DisabledByPolicy),
        "{answer:?}"
    );
    mine.enable().await.unwrap();
    assert_eq!(heard(app, "news", json!("it")).await, "mine heard it");
}

/// Writes what the registration is, and what became of it at this launch.
async fn tell(app: &App) {
    use std::io::Write;

    let swept = app.registered("sweep the attic").await.unwrap();
    let diff = app.launch_diff().await.unwrap();
    let of = |names: &[String]| names.iter().any(|name| name == "sweep the attic");
    let became = match () {
        () if of(&diff.added) => "added",
        () if of(&diff.replaced) => "replaced",
        () => {
            assert!(of(&diff.unchanged));
            "added"
        }
    };
    let path = harness::home().join("told");
    let mut told = std::fs::File::options()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    let due = swept.next_due().unwrap();
    writeln!(told, "{due} {} {} {became}", swept.id(), swept.trigger()).unwrap();
}

/// The program under test as another build of it would be: what tells builds apart is changed.
pub(crate) fn another_build(home: &Home) -> std::path::PathBuf {
    use object::{Object, ObjectSection};

    let this = std::env::current_exe().unwrap();
    let mut bytes = std::fs::read(&this).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let id = file.build_id().unwrap().map(<[u8]>::to_vec);
    let place = match id {
        Some(id) => bytes.windows(id.len()).position(|part| part == id).unwrap(),
        None => {
            let entries = file.section_by_name(".bgtask").unwrap();
            let (start, length) = entries.file_range().unwrap();
            let range = usize::try_from(start).unwrap()..usize::try_from(start + length).unwrap();
            let version = b"\"crate_version\":\"";
            let found = bytes[range.clone()]
                .windows(version.len())
                .position(|part| part == version);
            range.start + found.unwrap() + version.len()
        }
    };
    bytes[place] = if bytes[place] == b'9' { b'8' } else { b'9' };
    let other = home.path("other-build");
    std::fs::write(&other, bytes).unwrap();
    let mode = std::fs::metadata(this).unwrap().permissions();
    std::fs::set_permissions(&other, mode).unwrap();
    other
}
