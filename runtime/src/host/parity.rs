//! What each host guarantees: the table of the guide, and the test behind each of its rows.

use std::fmt;

use Level::{BestEffort, No, Yes};

use crate::proof::Sources;

/// How far a guarantee goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Yes,
    BestEffort(&'static str),
    No(&'static str),
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Yes => f.write_str("yes"),
            BestEffort(how) => write!(f, "best effort: {how}"),
            No(why) => write!(f, "no: {why}"),
        }
    }
}

/// A guarantee, and how far it goes for an `async fn` in process, a plain `fn` in process, and in
/// a process of its own.
struct Guarantee {
    what: &'static str,
    levels: [Level; 3],
    tests: &'static [&'static str],
}

const SHARED: Level = No("the app is the process, and goes with it");
const NOT_COMPILED: Level = No("does not compile");
const OWN_PROCESS: Level = BestEffort("not of programs that it starts");

const GUARANTEES: &[Guarantee] = &[
    Guarantee {
        what: "a value, an error or a panic is the run's outcome",
        levels: [Yes, Yes, Yes],
        tests: &[
            "each_way_to_return_is_an_outcome",
            "each_way_to_return_is_the_same_outcome_as_in_process",
        ],
    },
    Guarantee {
        what: "the app survives an abort, a bad memory access, an `exit`",
        levels: [SHARED, SHARED, Yes],
        tests: &[
            "what_takes_the_app_down_at_each_start_is_given_up",
            "each_way_to_die_is_an_outcome_of_its_own_and_the_next_run_has_a_fresh_process",
        ],
    },
    Guarantee {
        what: "runs of other tasks survive it",
        levels: [
            SHARED,
            SHARED,
            BestEffort("all but those of the same process"),
        ],
        tests: &["a_crash_hits_its_resource_group_only"],
    },
    Guarantee {
        what: "a body that never waits keeps no other run from being stopped",
        levels: [Yes, Yes, Yes],
        tests: &[
            "an_async_body_that_never_awaits_is_an_overrun_and_the_app_still_ends",
            "two_of_a_group_share_a_process_and_one_that_spins_does_not_stop_the_other",
        ],
    },
    Guarantee {
        what: "a requested run outlives `main`",
        levels: [No("it is cancelled"), No("it is cancelled"), Yes],
        tests: &[
            "without_lingering_the_run_is_asked_to_end",
            "a_requested_run_outlives_main_and_is_delivered_once",
        ],
    },
    Guarantee {
        what: "a run over its `timeout` is asked to stop",
        levels: [Yes, Yes, Yes],
        tests: &[
            "a_body_over_its_time_may_still_end_in_its_grace",
            "a_plain_body_that_overruns_keeps_its_slot_until_it_returns",
            "a_hosted_body_that_ends_when_its_time_is_over_is_cancelled",
        ],
    },
    Guarantee {
        what: "with `idle_timeout` a run that does nothing is asked to stop",
        levels: [
            BestEffort("polls, CPU time of its thread, progress"),
            BestEffort("CPU time of its thread, progress"),
            BestEffort("polls, CPU time of its process, progress"),
        ],
        tests: &[
            "a_run_that_does_nothing_is_asked_to_stop",
            "a_plain_fn_that_waits_is_idle",
            "a_run_that_computes_is_not_idle",
            "a_run_whose_process_computes_is_not_idle",
        ],
    },
    Guarantee {
        what: "the body hears the reason: `cancelled`, `checkpoint`, `on_cancel`",
        levels: [Yes, Yes, Yes],
        tests: &[
            "every_reason_reaches_a_body_as_it_was_given",
            "a_callback_is_called_while_the_body_computes",
        ],
    },
    Guarantee {
        what: "the body ends when its `grace` is over",
        levels: [
            BestEffort("at its next await point"),
            No("recorded as an overrun, unless `on_overrun = abort`"),
            Yes,
        ],
        tests: &[
            "a_body_over_its_time_is_dropped_where_it_waits",
            "an_async_body_that_never_waits_overruns_too",
            "a_plain_fn_that_does_not_stop_overruns_and_vacates_when_it_returns",
            "on_overrun_abort_ends_the_app_and_is_recorded",
            "an_endless_loop_is_killed_after_its_time_and_grace",
        ],
    },
    Guarantee {
        what: "programs that the body started end with its process",
        levels: [
            No("they go on"),
            No("they go on"),
            BestEffort("[wherever they went](crate::guide::process#programs-that-a-task-starts)"),
        ],
        tests: &[
            "nobody_outlives_a_process_that_is_killed",
            "nobody_outlives_a_process_that_ends_by_itself",
            "nobody_outlives_the_app",
        ],
    },
    Guarantee {
        what: "the next run starts only when the body is really gone, and what it returns late counts for nothing",
        levels: [Yes, Yes, Yes],
        tests: &[
            "a_plain_body_that_overruns_keeps_its_slot_until_it_returns",
            "a_hosted_run_that_ignores_its_cancellation_is_killed_with_its_reason",
        ],
    },
    Guarantee {
        what: "nothing is ended for its time while a debugger holds the body's process",
        levels: [Yes, Yes, Yes],
        tests: &["no_time_counts_while_somebody_debugs_the_app"],
    },
    Guarantee {
        what: "`memory` limits what the body takes",
        levels: [NOT_COMPILED, NOT_COMPILED, OWN_PROCESS],
        tests: &[
            "a_body_that_allocates_over_its_memory_limit_says_so_and_one_that_aborts_says_that",
            "what_a_body_maps_counts_too_and_kills_it_unasked",
        ],
    },
    Guarantee {
        what: "`cpu` limits the CPU time of the run",
        levels: [NOT_COMPILED, NOT_COMPILED, OWN_PROCESS],
        tests: &[
            "a_run_over_its_cpu_time_is_asked_to_stop_and_killed_after_its_grace",
            "the_kernel_ends_a_run_over_its_cpu_time_when_nobody_looks",
        ],
    },
    Guarantee {
        what: "`nice` gives the body a priority",
        levels: [NOT_COMPILED, NOT_COMPILED, Yes],
        tests: &["a_nice_host_is_nice_in_all_its_threads_and_to_the_disk"],
    },
    Guarantee {
        what: "`sandbox` keeps the body to its paths",
        levels: [NOT_COMPILED, NOT_COMPILED, Yes],
        tests: &[
            "a_sandbox_keeps_from_all_others",
            "a_sandbox_holds_threads_and_programs_too",
        ],
    },
    Guarantee {
        what: "the body sees a listed part of the app's environment, and `env`",
        levels: [No("it sees the app's"), No("it sees the app's"), Yes],
        tests: &["a_host_has_the_listed_the_added_and_the_declared_variables_alone"],
    },
    Guarantee {
        what: "progress never turns back, and its last value comes before the end",
        levels: [Yes, Yes, Yes],
        tests: &[
            "progress_skips_never_turns_back_and_its_last_value_arrives",
            "a_flood_of_progress_is_thinned_and_its_last_value_arrives",
            "a_million_reports_are_few_messages",
        ],
    },
    Guarantee {
        what: "a deferral keeps the run open, and counts toward its time",
        levels: [Yes, Yes, Yes],
        tests: &[
            "a_deferral_keeps_the_run_open_after_its_body",
            "a_deferral_that_nobody_drops_counts_toward_the_time",
        ],
    },
    Guarantee {
        what: "a deferral that nobody drops ends with the run's time",
        levels: [
            No("the run keeps its slot"),
            No("the run keeps its slot"),
            Yes,
        ],
        tests: &["a_deferral_that_nobody_drops_counts_toward_the_time"],
    },
    Guarantee {
        what: "a result over the limit is a failure that says so",
        levels: [Yes, Yes, Yes],
        tests: &["a_result_may_be_as_long_as_is_allowed_and_not_longer"],
    },
    Guarantee {
        what: "`memory()` tells the usage and the limit of the body alone",
        levels: [
            No("of the whole app"),
            No("of the whole app"),
            BestEffort("of its process"),
        ],
        tests: &["a_body_is_told_its_limit_of_memory"],
    },
];

/// The table as the guide has it.
fn table() -> String {
    let mut table = String::from(
        "| | `in_process`, `async fn` | `in_process`, plain `fn` | `process` |\n|---|---|---|---|\n",
    );
    for row in GUARANTEES {
        let [waits, plain, process] = row.levels;
        table += &format!("| {} | {waits} | {plain} | {process} |\n", row.what);
    }
    table
}

#[test]
fn the_guide_has_this_table() {
    let page = include_str!("../guide/hosts.md");
    assert!(page.contains(&table()), "the table is:\n{}", table());
}

#[test]
fn each_guarantee_has_its_tests() {
    let sources = Sources::of(&["src/host/tests", "tests/app"]);
    for row in GUARANTEES {
        assert!(!row.tests.is_empty(), "{} has no test", row.what);
        for test in row.tests {
            let there = sources.have(test);
            assert!(there, "{}: there is no test `{test}`", row.what);
        }
    }
}
