//! The app's data: read and changed by the app and by runs, here and in processes of their own.

use std::path::PathBuf;

use bgtask::{App, Code, Outcome, Run, prelude::*};
use libtest_mimic::Trial;
use serde::{Deserialize, Serialize};

use crate::{
    checked, harness,
    harness::{Gate, visit_async},
};

pub(crate) fn trials() -> Vec<Trial> {
    [
        "data_of_a_run_is_kept_when_it_has_completed_and_not_before",
        "data_of_a_run_that_does_not_complete_is_dropped",
        "data_of_a_retried_run_begins_anew",
        "data_is_bounded",
        "data_of_the_app_is_compared_and_listed",
        "many_reads_at_once_are_answered",
        "a_read_that_is_given_up_hurts_nobody",
    ]
    .map(checked)
    .into()
}

/// What a body is to do with the data.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Deed {
    /// Changes everything, sees it, waits at the gate, and returns what it saw.
    Change(PathBuf),
    /// Sets and fails.
    Fail,
    Panic,
    Exit,
    /// Sets, and waits until it is asked to stop.
    Wait(PathBuf),
    Bounds,
    /// Reads so many keys at once.
    Many(usize),
    /// Asks, and does not wait for the answer.
    GiveUp,
}

#[background_task(name = "data_here", trigger = application, overlap = allow(8))]
#[background_task(name = "data_hosted", trigger = application, host = process("data"), overlap = allow(8))]
async fn act_on_data(
    task: TaskContext,
    Args(deed): Args<Deed>,
) -> Result<Vec<Option<u32>>, Box<dyn std::error::Error>> {
    let data = task.data();
    match deed {
        Deed::Change(gate) => {
            let mut seen = vec![data.get("old").await?, data.get("new").await?];
            data.set("new", &2)?;
            data.set("nothing", &())?;
            data.remove("old")?;
            visit_async(&gate, "staged").await;
            seen.extend([data.get("old").await?, data.get("new").await?]);
            // That it is there, and null, is something else than that it is not there.
            assert_eq!(data.get::<()>("nothing").await?, Some(()));
            assert_eq!(data.get::<()>("other").await?, None);
            return Ok(seen);
        }
        Deed::Bounds => {
            for long in [
                data.set(&"k".repeat(256), &1),
                data.set("key", &"x".repeat(64 << 10)),
                data.remove(&"k".repeat(256)),
            ] {
                assert_eq!(long.unwrap_err().code(), Code::TooLarge);
            }
            assert_eq!(data.set("", &1).unwrap_err().code(), Code::BadArguments);
            let mut deep = serde_json::json!(1);
            for _ in 0..65 {
                deep = serde_json::json!([deep]);
            }
            let deep = data.set("deep", &deep).unwrap_err();
            assert_eq!(deep.code(), Code::BadArguments);
            // The most that fits, in the widest form.
            let wide = vec![0.5; (64 << 10) / 4 - 1];
            for key in 0..15 {
                data.set(&key.to_string(), &wide)?;
            }
            let more = (15..100).map(|key| data.set(&key.to_string(), &wide));
            let refused = more.filter_map(Result::err).next().expect("a limit");
            assert_eq!(refused.code(), Code::TooLarge, "{refused}");
            // What is there already may be changed.
            data.set("0", &wide)?;
            let wrong = data.get::<String>("0").await.unwrap_err();
            assert_eq!(wrong.code(), Code::BadResult);
        }
        Deed::Many(count) => {
            let keys: Vec<String> = (0..count).map(|key| key.to_string()).collect();
            let reads = keys.iter().map(|key| data.get(key));
            return Ok(futures_util::future::try_join_all(reads).await?);
        }
        Deed::GiveUp => {
            for _ in 0..200 {
                let read = data.get::<u32>("old");
                let given_up = futures_util::FutureExt::now_or_never(read);
                assert!(given_up.is_none(), "{given_up:?}");
            }
            return Ok(vec![data.get("old").await?]);
        }
        failing => {
            data.set("new", &2)?;
            match failing {
                Deed::Fail => return Err("as asked".into()),
                Deed::Panic => panic!("as asked"),
                Deed::Exit => std::process::exit(3),
                Deed::Wait(gate) => {
                    visit_async(&gate, "staged").await;
                    task.cancelled().await;
                    return Err("asked to stop".into());
                }
                _ => {}
            }
        }
    }
    Ok(Vec::new())
}

/// Fails the first time, after it staged.
#[background_task(name = "data_again", trigger = application, retry(max = 2, backoff = fixed("10ms")))]
#[background_task(name = "data_again_hosted", trigger = application, host = process("data"), retry(max = 2, backoff = fixed("10ms")))]
fn stages_again(task: TaskContext) -> Result<Option<u32>, Box<dyn std::error::Error>> {
    let seen = task.data().get_blocking("new")?;
    task.data().set("new", &task.attempt())?;
    match task.attempt() {
        1 => Err("the first attempt fails".into()),
        _ => Ok(seen),
    }
}

async fn start(app: &App, task: &str, deed: Deed) -> Run<act_on_data> {
    let handle = app.task_named::<act_on_data>(task).unwrap();
    handle.request(deed).await.unwrap().allowed().unwrap()
}

async fn kept(app: &App, key: &str) -> Option<u32> {
    app.data().get(key).await.unwrap()
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    let gate = || Gate::new(harness::home().join("gate"));
    match name {
        "data_of_a_run_is_kept_when_it_has_completed_and_not_before" => {
            let gate = gate();
            for task in ["data_here", "data_hosted"] {
                app.data().set("old", &1).await.unwrap();
                let run = start(app, task, Deed::Change(gate.path().into())).await;
                let visitor = gate.visitor();
                let now = [kept(app, "old").await, kept(app, "new").await];
                assert_eq!(now, [Some(1), None], "{task}");
                visitor.pass();
                let seen = run.completed().await.unwrap();
                assert_eq!(seen, [Some(1), None, None, Some(2)], "{task}");
                let now = [kept(app, "old").await, kept(app, "new").await];
                assert_eq!(now, [None, Some(2)], "{task}");
                app.data().remove("new").await.unwrap();
            }
        }
        "data_of_a_run_that_does_not_complete_is_dropped" => {
            let gate = gate();
            for task in ["data_here", "data_hosted"] {
                let mut runs = vec![
                    start(app, task, Deed::Fail).await,
                    start(app, task, Deed::Panic).await,
                ];
                let waits = start(app, task, Deed::Wait(gate.path().into())).await;
                gate.visitor().pass();
                waits.cancel(CancelReason::Abort).await.unwrap();
                runs.push(waits);
                if task == "data_hosted" {
                    runs.push(start(app, task, Deed::Exit).await);
                }
                for mut run in runs {
                    let ended = run.ended().await.unwrap();
                    assert!(!ended.is_completed(), "{task}: {ended}");
                    assert_eq!(kept(app, "new").await, None, "{task}: {ended}");
                }
            }
        }
        "data_of_a_retried_run_begins_anew" => {
            for task in ["data_again", "data_again_hosted"] {
                let handle = app.task_named::<stages_again>(task).unwrap();
                let run = handle.request(()).await.unwrap().allowed().unwrap();
                assert_eq!(run.completed().await.unwrap(), None, "{task}");
                assert_eq!(kept(app, "new").await, Some(2), "{task}");
                app.data().remove("new").await.unwrap();
            }
        }
        "data_is_bounded" => {
            for task in ["data_here", "data_hosted"] {
                let ended = start(app, task, Deed::Bounds).await.ended().await;
                let ended = ended.unwrap();
                assert!(matches!(ended, Outcome::Completed { .. }), "{ended}");
                let keys = app.data().keys("").await.unwrap();
                assert!(keys.len() >= 15, "{task}: {keys:?}");
            }
            let long = app.data().set("key", &"x".repeat(64 << 10)).await;
            assert_eq!(long.unwrap_err().code(), Code::TooLarge);
            let key = app.data().get::<u32>(&"k".repeat(256)).await;
            assert_eq!(key.unwrap_err().code(), Code::TooLarge);
        }
        "data_of_the_app_is_compared_and_listed" => {
            let data = app.data();
            assert!(data.compare_and_set("a", None, Some(&1)).await.unwrap());
            assert!(!data.compare_and_set("a", None, Some(&2)).await.unwrap());
            assert!(!data.compare_and_set("a", Some(&2), None).await.unwrap());
            assert!(data.compare_and_set("a", Some(&1), Some(&3)).await.unwrap());
            assert_eq!(kept(app, "a").await, Some(3));
            data.set("a.b", &4).await.unwrap();
            data.set("b", &5).await.unwrap();
            assert_eq!(data.keys("a").await.unwrap(), ["a", "a.b"]);
            assert!(data.compare_and_set("a", Some(&3), None).await.unwrap());
            assert_eq!(data.keys("").await.unwrap(), ["a.b", "b"]);
            let wrong = data.get::<String>("b").await.unwrap_err();
            assert_eq!(wrong.code(), Code::BadResult);
        }
        "many_reads_at_once_are_answered" => {
            for key in 0..500_u32 {
                app.data().set(&key.to_string(), &key).await.unwrap();
            }
            for task in ["data_here", "data_hosted"] {
                let read = start(app, task, Deed::Many(500)).await.completed().await;
                let expected: Vec<_> = (0..500).map(Some).collect();
                assert_eq!(read.unwrap(), expected, "{task}");
            }
        }
        "a_read_that_is_given_up_hurts_nobody" => {
            app.data().set("old", &1).await.unwrap();
            let run = start(app, "data_hosted", Deed::GiveUp).await;
            assert_eq!(run.completed().await.unwrap(), [Some(1)]);
            let run = start(app, "data_hosted", Deed::Many(1)).await;
            assert_eq!(run.completed().await.unwrap(), [None]);
            assert_eq!(app.history(None, 10).await.unwrap().len(), 2);
        }
        _ => return false,
    }
    true
}
