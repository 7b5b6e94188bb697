//! The tasks of the app under test: they end as their arguments say.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use bgtask::prelude::*;

use crate::{
    faults::{self, Bomb},
    harness::visit_async,
    way::{FLOOD, Way},
};

/// Where neighbours wait, in the working directory.
pub(crate) const GATE: &str = "gate";

/// Lets the bodies that compute in the app's process return.
pub(crate) static RELEASED: AtomicBool = AtomicBool::new(false);

#[background_task(name = "own", trigger = application, host = process("own"))]
#[background_task(name = "own_brief", trigger = application, host = process("own"), timeout = "250ms", grace = "200ms")]
#[background_task(name = "own_small", trigger = application, host = process("own small"), memory = "64MiB")]
#[background_task(name = "shared", trigger = application, host = process("shared"))]
#[background_task(name = "shared_brief", trigger = application, host = process("shared"), timeout = "250ms", grace = "200ms")]
#[background_task(name = "shared_small", trigger = application, host = process("small"), memory = "64MiB")]
#[background_task(name = "alone", trigger = application, host = process, multiple_instances)]
#[background_task(name = "alone_brief", trigger = application, host = process, multiple_instances, timeout = "250ms", grace = "200ms")]
#[background_task(name = "alone_small", trigger = application, host = process, multiple_instances, memory = "64MiB")]
#[background_task(name = "computes", trigger = application, host = process, cpu = "250ms", grace = "200ms")]
#[background_task(name = "here", trigger = application)]
#[background_task(name = "here_brief", trigger = application, timeout = "250ms", grace = "200ms")]
#[background_task(name = "many_own", trigger = application, host = process("many own"), overlap = allow(8), timeout = "250ms", grace = "200ms")]
#[background_task(name = "many_shared", trigger = application, host = process("many"), overlap = allow(8), timeout = "250ms", grace = "200ms")]
#[background_task(name = "many_again", trigger = application, host = process("many"), overlap = allow(8), timeout = "250ms", grace = "200ms", retry(max = 1, backoff = fixed("1ms")))]
#[background_task(name = "many_alone", trigger = application, host = process, multiple_instances, memory = "64MiB", overlap = allow(8), timeout = "250ms", grace = "200ms")]
#[background_task(name = "many_here", trigger = application, overlap = allow(8), timeout = "250ms", grace = "200ms")]
pub(crate) async fn end(task: TaskContext, Args(way): Args<Way>) -> Result<u64, String> {
    match way {
        Way::Return => Ok(7),
        Way::Error => Err("as asked".to_owned()),
        Way::Panic => panic!("as asked"),
        Way::PanicInDrop => {
            let _bomb = Bomb;
            Ok(0)
        }
        Way::PanicWhenDropped => {
            let _bomb = Bomb;
            std::future::pending().await
        }
        Way::PanicTwice => {
            let _bomb = Bomb;
            panic!("the first of two");
        }
        Way::Exit(code) => std::process::exit(code),
        Way::Abort => std::process::abort(),
        Way::WriteNowhere => {
            faults::write_nowhere();
            Err("the write went somewhere".to_owned())
        }
        Way::OverflowStack => Ok(faults::overflow_stack(0)),
        Way::Allocate => Ok(faults::allocate() as u64),
        Way::Spin | Way::Compute => spin(),
        Way::Sleep => {
            let kind = tokio::signal::unix::SignalKind::terminate();
            let _unheeded = tokio::signal::unix::signal(kind).unwrap();
            std::future::pending().await
        }
        Way::Grandchild => {
            faults::start_grandchild(false);
            std::process::exit(0)
        }
        Way::EscapedGrandchild => {
            faults::start_grandchild(true);
            std::process::exit(0)
        }
        Way::CloseConnection => {
            faults::close_connection();
            std::future::pending().await
        }
        Way::Garbage => {
            faults::write_garbage();
            std::future::pending().await
        }
        Way::Flood => {
            for done in 1..=FLOOD {
                task.progress(done, FLOOD);
            }
            Ok(FLOOD)
        }
        Way::LeakDeferral => {
            std::mem::forget(task.deferral());
            Ok(0)
        }
    }
}

/// As [`end`], on a blocking thread.
#[background_task(name = "here_plain", trigger = application, timeout = "250ms", grace = "200ms")]
pub(crate) fn end_plainly(Args(way): Args<Way>) -> u64 {
    match way {
        Way::Spin => {
            while !RELEASED.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
            0
        }
        _ => 7,
    }
}

fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// Waits at the gate beside others, and says in which process.
#[background_task(name = "neighbour", trigger = application, host = process("shared"))]
#[background_task(name = "small_neighbour", trigger = application, host = process("small"), memory = "64MiB")]
pub(crate) async fn wait() -> u32 {
    visit_async(Path::new(GATE), &std::process::id().to_string()).await;
    0
}

/// Answers, to show that app and broker are alive.
#[background_task(name = "alive", trigger = application, overlap = allow(8))]
pub(crate) async fn alive(Args(number): Args<u64>) -> u64 {
    number
}
