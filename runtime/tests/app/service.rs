//! Services of an app, as other programs use them.

use bgtask::{AnyTask, AppService, Client, Code, Outcome, ServiceConnection, prelude::*};
use libtest_mimic::Trial;

use crate::{
    checked,
    harness::{APP, event},
};

#[background_task(name = "upper", trigger = app_service("upper"), register = false)]
async fn upper(mut caller: ServiceConnection) -> bgtask::Result<u32> {
    let mut served = 0;
    while let Some(request) = caller.next().await {
        let text: String = request.message()?;
        if text == "end" {
            break;
        }
        request.reply(format!("{}: {}", caller.service(), text.to_uppercase()))?;
        served += 1;
    }
    Ok(served)
}

#[background_task(name = "serve apart", trigger = application, register = false, host = process)]
async fn apart() {}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        checked("a_service_answers_each_caller_in_a_run_of_its_own"),
        checked("what_serves_nobody_is_told"),
    ]
}

async fn outcome(app: &App, events: &mut bgtask::Events, runs: usize) -> Vec<Outcome> {
    loop {
        let history = app.history(Some("loud"), 100).await.unwrap();
        if history.len() >= runs {
            return history.into_iter().map(|run| run.outcome).collect();
        }
        event(events, |event| {
            matches!(event.kind, bgtask::EventKind::Ended { .. }).then_some(())
        })
        .await;
    }
}

async fn asked(service: &mut AppService, text: &str) -> String {
    service.call(text).await.unwrap()
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    let client = Client::new(APP);
    let mut events = app.events();
    let serves = |name: &str| {
        let mine = app.registration(name).entry::<upper>();
        mine.trigger(format!("app_service(\"{name}\")")).register()
    };
    match name {
        "a_service_answers_each_caller_in_a_run_of_its_own" => {
            serves("loud").await.unwrap();
            let mut one = client.connect_service("loud").await.unwrap();
            let mut other = client.connect_service("loud").await.unwrap();
            assert_eq!(asked(&mut one, "a").await, "loud: A");
            assert_eq!(asked(&mut other, "b").await, "loud: B");
            assert_eq!(asked(&mut one, "c").await, "loud: C");
            let wrong = one.call::<u32>("d").await.unwrap_err();
            assert_eq!(wrong.code(), Code::BadResult, "of another type");
            assert_eq!(asked(&mut one, "e").await, "loud: E");
            drop(one);
            let first = outcome(app, &mut events, 1).await;
            assert_eq!(first.len(), 1, "the other one is served still");
            assert!(matches!(&first[0], Outcome::Completed { .. }), "{first:?}");
            assert_eq!(asked(&mut other, "f").await, "loud: F");
            let unanswered = other.call::<String>("end").await.unwrap_err();
            assert_eq!(unanswered.code(), Code::BadResult);
            assert_eq!(outcome(app, &mut events, 2).await.len(), 2);
            let ended = other.call::<String>("g").await.unwrap_err();
            assert_eq!(ended.code(), Code::RunEnded);
            // What does not fit what the task takes is its own failure.
            let mut third = client.connect_service("loud").await.unwrap();
            let unanswered = third.call::<String>(7).await.unwrap_err();
            assert_eq!(unanswered.code(), Code::BadResult);
            let failed = outcome(app, &mut events, 3).await.remove(0);
            assert!(matches!(failed, Outcome::Failed { .. }), "{failed:?}");
        }
        "what_serves_nobody_is_told" => {
            serves("loud").await.unwrap();
            let error = client.connect_service("lower").await.unwrap_err();
            assert_eq!(error.code(), Code::NotAccepted);
            assert!(error.rule().contains("`lower`"), "{error}");
            // Fired by hand there is nobody to serve.
            app.fire("loud", None).await.unwrap();
            let failed = outcome(app, &mut events, 1).await.remove(0);
            assert!(
                failed.to_string().contains("nobody is connected"),
                "{failed}"
            );
            // One whose task never starts, because it is asked not to.
            let mut held = serves("held").await.unwrap();
            held.pause().await.unwrap();
            let mut caller = client.connect_service("held").await.unwrap();
            let waiting = app.why("held").await.unwrap().held[0].activation;
            let cancel = async {
                let run = client.run_named::<AnyTask>("held", waiting).await.unwrap();
                run.cancel(CancelReason::SystemPolicy).await.unwrap();
            };
            let (answer, ()) = tokio::join!(caller.call::<()>(()), cancel);
            assert_eq!(answer.unwrap_err().code(), Code::RunEnded);
            let again = app.registration("loud again").entry::<upper>();
            let again = again.trigger(r#"app_service("loud")"#);
            again.register().await.unwrap();
            let error = client.connect_service("loud").await.unwrap_err();
            assert_eq!(error.code(), Code::Ambiguous);
            let hosted = app.registration("loud apart").entry::<apart>();
            let hosted = hosted.trigger(r#"app_service("loud apart")"#);
            let errors = hosted.validate().await.unwrap_err();
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert_eq!(errors[0].code(), Code::Unsupported);
            app.shutdown().await;
            let error = client.connect_service("loud").await.unwrap_err();
            assert_eq!(error.code(), Code::Control);
        }
        _ => return false,
    }
    true
}
