//! Registrations: what the user overrides, what is made at run time, what a launch keeps.

use bgtask::{
    App, Code,
    inspect::{self, Request, Response, TaskListing, TaskState},
    prelude::*,
};
use jiff::SignedDuration;
use libtest_mimic::Trial;

use crate::{
    harness::{self, Home, Process},
    trial,
};

#[background_task(name = "sweep the attic", trigger = time(15), missed = skip)]
async fn sweep_the_attic() {}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
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
        "the_override_names_nothing" => refused(app, "toml:3: ").await,
        _ => return false,
    }
    true
}

async fn listed(task: &str) -> TaskListing {
    let mut live = inspect::connect(harness::APP).await.unwrap().unwrap();
    let Response::List { tasks } = live.ask(&Request::List).await.unwrap() else {
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
