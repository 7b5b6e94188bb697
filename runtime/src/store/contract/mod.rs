//! What every store does, run on every store there is.

mod activations;
mod check;
mod data;
mod log;
mod registering;
mod registrations;
mod retention;
mod runs;
mod standing;

use jiff::{SignedDuration, Timestamp};

use super::{
    ActivationRecord, Claim, DataChange, DataQuery, EnergyRow, Finish, Fire, HistoryQuery, Lease,
    Limit, LogQuery, NewActivation, NewRegistration, Note, OnDuplicate, Origin, Registering,
    RegistrationRecord, Release, Retention, RunRecord, Severity, Store, Suppress, SyncDiff,
};
use crate::{
    ActivationId, CancelReason, Code, Details, Event, EventKind, Outcome, RegistrationId, RunId,
    Standing, Suppression,
};

macro_rules! contract {
    ($($part:ident::$test:ident,)*) => {
        mod memory {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$part::$test(&crate::store::MemoryStore::new()).await;
                }
            )*
        }

        mod sqlite {
            $(
                #[tokio::test]
                async fn $test() {
                    let directory = tempfile::tempdir().unwrap();
                    let store = crate::store::SqliteStore::open(directory.path()).unwrap();
                    super::$part::$test(&store).await;
                }
            )*
        }
    };
}

contract! {
    registrations::a_new_one_is_added,
    registrations::an_unchanged_one_keeps_id_due_and_generation,
    registrations::an_unchanged_one_takes_a_new_description,
    registrations::a_changed_one_is_replaced,
    registrations::what_waited_for_a_replaced_one_goes_on,
    registrations::what_waited_for_a_replaced_one_does_not_end_its_successor,
    registrations::a_gone_one_is_removed_and_what_waited_is_recorded,
    registrations::what_runs_for_a_removed_one_can_finish,
    registrations::a_tombstone_stays_until_its_fingerprint_changes,
    registrations::a_tombstone_stays_while_it_is_not_declared,
    registrations::two_of_one_name_are_refused_and_change_nothing,
    registrations::a_due_time_fires_once,
    registrations::a_fire_for_nothing_known_is_lost,
    registrations::the_last_fire_leaves_no_due_time,
    registrations::the_last_fire_without_activation_ends_it,
    registrations::a_volatile_fire_keeps_no_activation,
    registrations::a_volatile_one_shot_ends_as_it_fires,
    registrations::a_suppressed_fire_is_noted,
    registrations::a_moved_due_time_is_no_fire,
    registrations::fires_of_one_call_stand_alone,
    registrations::one_that_the_app_made_is_not_synced,
    registrations::a_declared_one_does_not_take_the_name_of_one_that_the_app_made,
    registrations::a_declared_one_takes_the_name_of_one_that_ended,
    registrations::one_of_which_nobody_knows_what_is_declared_stays,
    registrations::an_unchanged_one_takes_a_new_group_and_kind,
    registrations::fires_without_activation_are_noted_and_counted,
    registering::a_new_name_is_added,
    registering::a_second_one_replaces_the_first,
    registering::what_is_told_of_one_is_what_is_kept,
    registering::a_second_one_that_says_the_same_keeps_the_due_time,
    registering::what_waited_goes_on_under_the_new_one,
    registering::the_first_is_kept_on_request,
    registering::a_second_one_is_refused_on_request,
    registering::several_of_one_name_on_request,
    registering::a_name_of_several_is_ambiguous_to_replace,
    registering::a_declared_name_cannot_be_taken,
    registering::a_declared_one_is_registered_again_after_it_ended,
    registering::an_ended_one_makes_room,
    registering::a_limit_counts_what_is_there_and_not_what_is_replaced,
    registering::a_refused_one_changes_nothing,
    registering::unregistering_records_what_waited,
    registering::what_runs_for_an_unregistered_one_may_finish,
    registering::the_last_run_is_told,
    registering::a_successor_has_not_run_yet,
    standing::what_the_user_chose_is_kept,
    standing::what_holds_already_keeps_its_time,
    standing::a_replaced_one_stays_as_the_user_left_it,
    standing::quarantine_hides_what_the_user_chose_until_it_is_lifted,
    standing::quarantine_ends_with_a_new_declaration,
    standing::what_ended_takes_no_standing,
    standing::throttling_is_kept,
    activations::accepted_in_order,
    activations::accepted_once,
    activations::not_accepted_again_after_it_ended,
    activations::claimed_once,
    activations::the_same_claim_again_gets_the_same_lease,
    activations::an_unknown_one_is_not_claimed,
    activations::the_fence_grows_with_each_start,
    activations::what_was_not_started_waits_again,
    activations::a_release_by_another_run_changes_nothing,
    activations::what_did_not_fire_itself_is_told,
    activations::what_did_not_fire_itself_ends_no_one_shot,
    activations::suppressed_only_while_waiting,
    activations::suppression_ends_a_one_shot,
    activations::recovery_puts_running_ones_back,
    activations::recovery_fences_off_the_run_before,
    activations::recovery_ends_what_must_not_repeat,
    activations::recovery_ends_an_event_one_shot_with_what_it_fired,
    activations::one_is_found_until_it_has_ended,
    activations::recovery_ends_what_is_no_longer_declared,
    activations::recovery_ends_what_waits_for_a_registration_that_is_gone,
    activations::what_ran_for_a_registration_that_is_gone_is_not_tried_again,
    activations::recovery_twice_is_recovery_once,
    activations::a_clock_set_back_changes_no_order,
    activations::any_text_is_kept,
    activations::a_large_payload_is_kept,
    activations::times_far_away_are_kept,
    activations::what_could_not_be_read_back_is_refused,
    runs::a_stale_fence_changes_nothing,
    runs::finished_once,
    runs::the_record_says_it_all,
    runs::every_outcome_is_kept,
    runs::a_result_that_could_not_be_read_back_ends_the_run,
    runs::a_retry_waits_again_and_is_recorded,
    runs::a_retry_does_not_end_a_one_shot,
    runs::a_one_shot_ends_with_its_outcome,
    runs::history_is_newest_first_and_limited,
    runs::history_of_one_task_and_of_one_activation,
    runs::only_journaled_completions_wait_for_delivery,
    runs::a_journaled_suppression_waits_for_delivery,
    runs::pruning_keeps_the_recent_whether_delivered_or_not,
    runs::nothing_asked_is_nothing_done,
    data::a_value_is_kept_until_it_is_removed,
    data::keys_are_found_by_their_beginning,
    data::any_key_and_value_is_kept,
    data::changes_are_made_together_or_not_at_all,
    data::a_comparison_is_with_what_was_there_before,
    data::a_fraction_compares_with_itself,
    data::what_could_not_be_read_back_is_not_kept,
    data::a_run_changes_data_when_it_completes,
    data::any_other_outcome_drops_the_data,
    data::a_fenced_off_run_changes_no_data,
    data::a_run_whose_data_cannot_be_kept_has_failed,
    data::texts_about_the_app_are_kept,
    data::cpu_time_is_summed_by_task_and_hour,
    data::cpu_time_of_what_was_fenced_off_is_not_counted,
    log::what_was_logged_is_told_newest_first,
    log::a_run_is_told_from_its_records,
    log::what_waits_and_what_runs_is_told,
    log::a_retry_fires_once,
    log::what_happened_at_one_time_is_in_order,
    log::a_part_is_told,
    log::what_follows_from_records_is_not_written,
    retention::history_and_log_are_bounded_by_number,
    retention::the_log_is_bounded_by_age,
    retention::old_energy_and_tombstones_go,
    retention::the_last_run_is_still_told,
    check::a_sound_store_has_only_counts,
    check::what_waits_for_nothing_is_found,
    check::a_quarantine_is_found,
}

/// So many seconds after a fixed moment.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_secs(seconds)
}

fn declared(name: &str, fingerprint: &str) -> NewRegistration {
    NewRegistration {
        name: name.into(),
        entry: name.into(),
        origin: Origin::Declared,
        group: None,
        kind: "time".into(),
        declaration: r#"{"trigger":"time(15)"}"#.into(),
        fingerprint: fingerprint.into(),
        due: Some(at(900)),
    }
}

/// What the app makes while it runs.
fn built(name: &str) -> NewRegistration {
    NewRegistration {
        entry: "task".into(),
        origin: Origin::Built,
        ..declared(name, "built")
    }
}

async fn register(
    store: &dyn Store,
    new: NewRegistration,
    on_duplicate: OnDuplicate,
) -> crate::Result<Registering> {
    store.register(new, on_duplicate, None, at(3)).await
}

/// Makes one of a name that is free.
async fn added(store: &dyn Store, new: NewRegistration) -> RegistrationRecord {
    match register(store, new, OnDuplicate::Error).await.unwrap() {
        Registering::Added { record, .. } => record,
        other => panic!("{other:?}"),
    }
}

async fn sync(store: &dyn Store, declared: &[NewRegistration]) -> SyncDiff {
    let synced = store.sync_registrations(declared.to_vec(), at(0)).await;
    let (diff, all) = synced.unwrap();
    assert_eq!(all, store.registrations().await.unwrap());
    diff
}

/// Declares `task` and nothing else.
async fn registered(store: &dyn Store) -> RegistrationRecord {
    sync(store, &[declared("task", "1")]).await;
    registration(store, "task").await
}

async fn registration(store: &dyn Store, name: &str) -> RegistrationRecord {
    let all = store.registrations().await.unwrap();
    all.into_iter().find(|one| one.name == name).unwrap()
}

fn activation(registration: RegistrationId) -> NewActivation {
    NewActivation {
        id: ActivationId::now(),
        registration,
        task: "task".into(),
        details: Details {
            fired: at(1),
            ..Details::default()
        },
        not_before: at(2),
        journal: false,
        foreign: false,
    }
}

/// Accepts one activation of a new registration.
async fn waiting(store: &dyn Store) -> NewActivation {
    let new = activation(registered(store).await.id);
    store.enqueue(vec![new.clone()]).await.unwrap();
    new
}

async fn claim(store: &dyn Store, id: ActivationId) -> (RunId, Option<Lease>) {
    let run = RunId::now();
    let claim = Claim {
        activation: id,
        run,
        at: at(10),
    };
    let mut leases = store.claim(vec![claim]).await.unwrap();
    assert_eq!(leases.len(), 1);
    (run, leases.remove(0))
}

/// Starts it; the new run's fence.
async fn start(store: &dyn Store, id: ActivationId) -> u64 {
    claim(store, id).await.1.unwrap().fence
}

fn completed(activation: ActivationId, fence: u64) -> Finish {
    Finish {
        activation,
        fence,
        at: at(20),
        outcome: Outcome::Completed {
            value: serde_json::json!({"done": 3}),
        },
        progress: None,
        retry_at: None,
        ends_registration: false,
        data: Vec::new(),
        cpu: None,
        on_battery: false,
    }
}

async fn finish(store: &dyn Store, finish: Finish) -> bool {
    let results = store.finish(vec![finish]).await.unwrap();
    assert_eq!(results.len(), 1);
    results[0]
}

fn suppression(activation: ActivationId) -> Suppress {
    Suppress {
        activation,
        at: at(15),
        why: Suppression::Overlap,
        ends_registration: false,
    }
}

fn firing(registration: &RegistrationRecord) -> Fire {
    Fire {
        registration: registration.id,
        generation: registration.generation,
        at: at(901),
        next: Some(at(1800)),
        activations: vec![activation(registration.id)],
        suppressed: None,
        last: false,
        volatile: false,
    }
}

async fn fire(store: &dyn Store, fire: Fire) -> bool {
    let results = store.fire(vec![fire]).await.unwrap();
    assert_eq!(results.len(), 1);
    results[0]
}

/// A value of so many levels.
fn nested(levels: usize) -> serde_json::Value {
    (0..levels).fold(serde_json::Value::Null, |value, _| {
        serde_json::json!([value])
    })
}

async fn open(store: &dyn Store) -> Vec<ActivationRecord> {
    store.activations().await.unwrap()
}

async fn history(store: &dyn Store) -> Vec<RunRecord> {
    store.history(HistoryQuery::default()).await.unwrap()
}

async fn prune(store: &dyn Store, before: Timestamp, most: u32) -> u64 {
    store.prune(Retention { before, most }).await.unwrap()
}
