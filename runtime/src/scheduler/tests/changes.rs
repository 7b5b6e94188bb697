//! Triggers that tell what changed since the last time, `files` and `device`.

use super::*;
use crate::{FileChange, FileChangeKind, FileChanges};

/// A change of this path, by a source of the registrations' own trigger.
fn changed(world: &mut World, trigger: &str, path: &str) {
    let change = FileChange {
        path: path.into(),
        kind: FileChangeKind::Created,
    };
    let details = Details {
        files: Some(FileChanges {
            changes: vec![change],
            overflow: false,
        }),
        ..Details::default()
    };
    let what = Raised::Trigger(trigger.parse().unwrap());
    world.tell(Input::Raised { what, details });
}

/// The paths that each activation tells, and whether there was more.
fn told(world: &World) -> Vec<(Vec<&str>, bool)> {
    let enqueued = world.said.iter().filter_map(|action| match action {
        Action::Enqueue(all) => Some(all),
        _ => None,
    });
    let files = enqueued.flatten().map(|new| {
        let files = new.details.files.as_ref().unwrap();
        let paths = files.changes.iter().map(|change| change.path.to_str());
        (paths.map(Option::unwrap).collect(), files.overflow)
    });
    files.collect()
}

#[test]
fn a_source_of_its_own_starts_registrations_with_just_its_trigger() {
    let mut world = World::with(declare("files(\"/a\")", "", Options::default()));
    world.register(
        2,
        declare("files(\"/a\", recursive)", "", Options::default()),
    );
    world.register(3, declare("files(\"/a\")", "", Options::default()));
    changed(&mut world, "files(\"/a\")", "/a/x");
    changed(&mut world, "files(\"/b\")", "/b/x");
    assert_eq!(told(&world), [(vec!["/a/x"], false), (vec!["/a/x"], false)]);
    assert_eq!(world.started().len(), 2);
}

#[test]
fn what_takes_the_place_of_another_tells_what_that_told() {
    let mut world = World::with(declare("files(\"/a\")", "internet", Options::default()));
    changed(&mut world, "files(\"/a\")", "/a/1");
    // Not accepted before the next ones come.
    world.obedient = false;
    changed(&mut world, "files(\"/a\")", "/a/2");
    changed(&mut world, "files(\"/a\")", "/a/3");
    world.obedient = true;
    let all = vec!["/a/1", "/a/2", "/a/3"];
    assert_eq!(told(&world)[2], (all.clone(), false));
    let waiting: Vec<_> = world.said.iter().filter_map(enqueued).flatten().collect();
    for new in waiting.into_iter().skip(1) {
        world.accept(new);
    }
    world.fact(Predicate::Internet, Reading::Known(true));
    let run = world.started()[0];
    assert_eq!(world.started().len(), 1);
    assert_eq!(world.suppressed().len(), 2, "they are told by the third");
    // What runs was told, and is not told again.
    changed(&mut world, "files(\"/a\")", "/a/4");
    changed(&mut world, "files(\"/a\")", "/a/5");
    assert_eq!(
        told(&world)[3..],
        [(vec!["/a/4"], false), (vec!["/a/4", "/a/5"], false)]
    );
    world.end(run);
    assert_eq!(world.started().len(), 2);
}

fn enqueued(action: &Action) -> Option<Vec<NewActivation>> {
    match action {
        Action::Enqueue(all) => Some(all.clone()),
        _ => None,
    }
}

#[test]
fn what_replaces_a_run_tells_what_the_run_was_told() {
    let options = overlapping(Overlap::Replace);
    let mut world = World::with(declare("files(\"/a\")", "", options));
    changed(&mut world, "files(\"/a\")", "/a/1");
    changed(&mut world, "files(\"/a\")", "/a/2");
    let both = vec!["/a/1", "/a/2"];
    assert_eq!(told(&world), [(vec!["/a/1"], false), (both, false)]);
}

#[test]
fn what_may_wait_again_is_told_again_by_what_takes_its_place() {
    let mut world = World::with(declare("files(\"/a\")", "internet", Options::default()));
    world.fact(Predicate::Internet, Reading::Known(true));
    world.obedient = false;
    changed(&mut world, "files(\"/a\")", "/a/1");
    let first = world.said.iter().find_map(enqueued).unwrap().remove(0);
    let id = first.id;
    world.accept(first);
    assert_eq!(world.started(), [id]);
    // Its claim may be given back.
    changed(&mut world, "files(\"/a\")", "/a/2");
    let both = vec!["/a/1", "/a/2"];
    assert_eq!(told(&world)[1], (both, false));
    let second = world.said.iter().filter_map(enqueued).nth(1).unwrap();
    world.accept(second[0].clone());
    world.fact(Predicate::Internet, Reading::Known(false));
    world.tell(Input::Unclaimed { activation: id });
    let by = Some(second[0].id);
    let why = Suppression::Superseded { by };
    assert_eq!(world.suppressed(), [(id, why)]);
}

#[test]
fn a_run_that_gives_way_when_it_fails_is_told_again() {
    let options = pending(Pending::Latest);
    let mut world = World::with(declare("files(\"/a\")", "internet", options));
    world.fact(Predicate::Internet, Reading::Known(true));
    changed(&mut world, "files(\"/a\")", "/a/1");
    world.go(1);
    changed(&mut world, "files(\"/a\")", "/a/2");
    let run = world.started()[0];
    world.fact(Predicate::Internet, Reading::Known(false));
    world.ended_with(run, true, Some(100));
    let (gone, why) = world.suppressed().remove(0);
    assert_eq!(gone, run);
    assert!(matches!(why, Suppression::Superseded { .. }), "{why}");
    assert_eq!(told(&world)[1], (vec!["/a/1", "/a/2"], false));
    // Its body goes on, and it does not wait again.
    world.fact(Predicate::Internet, Reading::Known(true));
    let run = world.started()[1];
    world.ended_with(run, false, None);
    changed(&mut world, "files(\"/a\")", "/a/3");
    assert_eq!(told(&world)[2], (vec!["/a/3"], false));
}

#[test]
fn what_fires_by_hand_tells_what_that_told_whose_place_it_takes() {
    let mut world = World::with(declare("files(\"/a\")", "internet", Options::default()));
    changed(&mut world, "files(\"/a\")", "/a/1");
    let by_hand = |world: &World| {
        let details = Details::default();
        let details = world.scheduler.follow(registration(1), details);
        details.files
    };
    let files = by_hand(&world).unwrap();
    assert_eq!(files.changes.len(), 1);
    assert!(files.overflow, "and whatever it was fired for");
    world.fact(Predicate::Internet, Reading::Known(true));
    assert_eq!(by_hand(&world), None, "what runs was told");
}

#[test]
fn after_a_suppressed_change_the_next_one_tells_that_there_was_more() {
    let mut world = World::with(declare("files(\"/a\")", "", overlapping(Overlap::Skip)));
    changed(&mut world, "files(\"/a\")", "/a/1");
    changed(&mut world, "files(\"/a\")", "/a/2");
    assert_eq!(world.notes(), [Suppression::Overlap]);
    let run = world.started()[0];
    world.end(run);
    changed(&mut world, "files(\"/a\")", "/a/3");
    assert_eq!(told(&world), [(vec!["/a/1"], false), (vec!["/a/3"], true)]);
    let run = world.started()[1];
    world.end(run);
    changed(&mut world, "files(\"/a\")", "/a/4");
    assert_eq!(told(&world)[2], (vec!["/a/4"], false));
}

#[test]
fn activations_that_are_all_kept_tell_each_their_own() {
    let mut world = World::with(declare(
        "files(\"/a\")",
        "internet",
        pending(Pending::Queue(2)),
    ));
    // Also while neither is accepted yet.
    world.obedient = false;
    changed(&mut world, "files(\"/a\")", "/a/1");
    changed(&mut world, "files(\"/a\")", "/a/2");
    assert_eq!(told(&world), [(vec!["/a/1"], false), (vec!["/a/2"], false)]);
    let both: Vec<_> = world.said.iter().filter_map(enqueued).flatten().collect();
    world.obedient = true;
    both.into_iter().for_each(|new| world.accept(new));
    changed(&mut world, "files(\"/a\")", "/a/3");
    assert_eq!(world.notes(), [Suppression::PendingFull]);
}
