//! Against a stand-in for the service manager, and folders that stand in for control groups.

use super::*;
use crate::{
    clock::SystemClock,
    host::tests::service_manager::{Bus, manager, next_call, request},
};

fn wanted(bus: &Bus) -> Wanted {
    Wanted {
        app_id: "org.example/mail app".to_owned(),
        pid: 4711,
        memory: 64 << 20,
        bus: Some(bus.address.clone()),
    }
}

#[tokio::test]
async fn the_manager_is_asked_for_a_scope_with_the_limit() {
    for (result, is_well) in [("done", true), ("failed", false)] {
        let bus = Bus::start();
        let (manager, mut calls) = manager(&bus).await;
        let wanted = wanted(&bus);
        let asked = tokio::spawn(async move { wanted.request().await });

        let call = next_call(&mut calls).await;
        let header = call.header();
        assert_eq!(
            header.member().expect("a method").as_str(),
            "StartTransientUnit"
        );
        let (name, mode, properties, others) = request(&call);
        assert_eq!(name, "bgtask-org.example_mail_app-4711.scope");
        assert_eq!((&*mode, others.len()), ("fail", 0));
        let property = |name: &str| {
            let (_, value) = properties.iter().find(|(known, _)| known == name)?;
            Some(Variant::try_from(value).expect("a value").to_string())
        };
        for (name, value) in [
            ("PIDs", Variant::from(vec![4711_u32])),
            ("MemoryMax", Variant::from(64_u64 << 20)),
            ("CollectMode", Variant::from("inactive-or-failed")),
        ] {
            assert_eq!(property(name), Some(value.to_string()), "{name}");
        }

        let job = |number| ObjectPath::try_from(format!("{PATH}/job/{number}")).expect("a path");
        manager.reply(&header, &job(7)).await.expect("a reply");
        // Of another job first.
        for (job, result) in [(job(6), "canceled"), (job(7), result)] {
            let body = (1_u32, job, &*name, result);
            let nobody = None::<zbus::names::BusName<'_>>;
            let told = manager.emit_signal(nobody, PATH, MANAGER, "JobRemoved", &body);
            told.await.expect("a signal");
        }
        assert_eq!(asked.await.expect("no panic").is_ok(), is_well, "{result}");
    }
}

#[tokio::test]
async fn without_a_manager_or_a_bus_there_is_no_scope() {
    let bus = Bus::start();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::portable());
    assert!(wanted(&bus).get(Arc::clone(&clock)).await.is_none());
    let mut nowhere = wanted(&bus);
    nowhere.bus = Some("unix:path=/nonexistent/bus".to_owned());
    assert!(nowhere.get(clock).await.is_none());
}

#[test]
fn a_scope_tells_of_its_memory_and_is_killed() {
    let root = tempfile::tempdir().expect("a folder");
    let name = "bgtask-app-1.scope";
    let group = root.path().join("user.slice").join(name);
    fs::create_dir_all(&group).expect("a folder");
    let groups = format!("4:memory:/elsewhere\n0::/user.slice/{name}\n");
    let below = |groups: &str| Scope::below(root.path(), groups, name);
    assert!(below(&groups).is_none(), "memory is not counted");

    let events = group.join("memory.events");
    fs::write(&events, "low 0\noom 0\noom_kill 0\noom_group_kill 0\n").expect("written");
    fs::copy(&events, root.path().join("user.slice/memory.events")).expect("copied");
    assert!(below("0::/user.slice\n").is_none(), "not in its scope");
    assert!(below("4:memory:/elsewhere\n").is_none(), "not of version 2");
    let scope = below(&groups).expect("a scope");
    assert!(!scope.ran_out_of_memory());
    fs::write(&events, "low 0\noom 2\noom_kill 1\noom_group_kill 0\n").expect("written");
    assert!(scope.ran_out_of_memory());
    scope.kill();
    assert_eq!(
        fs::read_to_string(group.join("cgroup.kill")).expect("written"),
        "1"
    );
}
