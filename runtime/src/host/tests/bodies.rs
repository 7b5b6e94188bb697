//! Bodies of every kind, as the attribute would link them.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, Semaphore};

use crate::{
    CancelReason, TaskContext,
    body::{self, Ask, Linked, Return, ViaResult},
    host::runner::TaskLookup,
};

/// An idle time that really passes.
pub(super) const IDLES: Duration = Duration::from_millis(300);

/// Lets the test hold up a body, and the body a test.
#[derive(Debug)]
pub(super) struct Gate {
    blocking: Mutex<bool>,
    opened: Condvar,
    waiting: Semaphore,
    /// Told when a body came to its point.
    pub(super) reached: Notify,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            blocking: Mutex::default(),
            opened: Condvar::new(),
            waiting: Semaphore::new(0),
            reached: Notify::new(),
        }
    }
}

impl Gate {
    pub(super) fn open(&self) {
        *self.blocking.lock().expect("no panic under it") = true;
        self.opened.notify_all();
        self.waiting.close();
    }

    fn pass_blocking(&self) {
        self.reached.notify_one();
        let open = self.blocking.lock().expect("no panic under it");
        drop(
            self.opened
                .wait_while(open, |open| !*open)
                .expect("no panic under it"),
        );
    }

    async fn pass(&self) {
        self.reached.notify_one();
        self.waiting
            .acquire()
            .await
            .expect_err("opened by closing it");
    }
}

fn gate(context: &TaskContext) -> Arc<Gate> {
    let gate = context.state().get::<Arc<Gate>>().expect("a gate");
    Arc::clone(&*gate)
}

/// All tasks of the test: which of them is asked is in the context.
static LINKED: Linked = Linked {
    entry: b"",
    task: |ask| match ask {
        Ask::Start(context) => start_of(context.task())?(context),
        Ask::Requirements(_) => None,
    },
    output: || "",
};

type Answer = Result<u32, String>;

/// Tells the test that a body is at its point, through its progress.
fn here(context: &TaskContext) {
    context.progress(1, 1);
}

fn from_future<Via, R, V, F>(future: F) -> body::Answer
where
    R: Return<Via, Value = V> + 'static,
    F: Future<Output = R> + Send + 'static,
{
    body::from_future::<Via, R, V>(Box::pin(future))
}

fn from_closure<Via, R, V>(call: impl FnOnce() -> R + Send + 'static) -> body::Answer
where
    R: Return<Via, Value = V> + 'static,
{
    body::from_closure::<Via, R, V>(Box::new(call))
}

#[rustfmt::skip]
fn start_of(task: &str) -> Option<fn(&TaskContext) -> body::Answer> {
    Some(match task {
        "value" => |_| from_future::<ViaResult, _, _, _>(async { Answer::Ok(7) }),
        "plain_value" => |_| from_closure::<ViaResult, _, _>(|| Answer::Ok(8)),
        "who" => |c| {
            let c = c.clone();
            from_future(async move {
                serde_json::json!([c.task(), c.run_id(), c.attempt(), c.fence(), c.details()])
            })
        },
        "error" => |_| from_future::<ViaResult, _, _, _>(async { Answer::Err("no luck".to_owned()) }),
        "plain_error" => |_| from_closure::<ViaResult, _, _>(|| Answer::Err("no luck".to_owned())),
        "refused" => |_| body::refused("no state of type `Db` was set in `setup`".to_owned()),
        "panic" => |_| from_future(async { if true { panic!("at {}", 1 + 1) } }),
        "plain_panic" => |_| from_closure(|| if true { panic!("plainly") }),
        "call_panic" => |_| panic!("in the call"),
        "odd_panic" => |_| from_future(async { if true { std::panic::panic_any(PanicsAgain) } }),
        "deep" => |_| from_future(async {
            (0..101).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]))
        }),
        "deepest" => |_| from_future(async {
            (0..100).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]))
        }),
        "huge" => |_| from_future(async { "x".repeat(5 << 20) }),
        "memory" => |c| {
            let c = c.clone();
            from_future::<ViaResult, _, _, _>(async move {
                c.memory().map_err(|error| error.to_string())
            })
        },
        // A text of so many bytes of JSON.
        "sized" => |c| {
            let length = c.details().arguments.as_ref().and_then(serde_json::Value::as_u64);
            let length = usize::try_from(length.expect("a length")).expect("it fits");
            from_future(async move { "x".repeat(length - 2) })
        },
        "forever" => |c| {
            let c = c.clone();
            from_future(async move { here(&c); std::future::pending::<()>().await })
        },
        "heeds" => |c| {
            let c = c.clone();
            from_future::<ViaResult, _, _, _>(async move {
                here(&c);
                c.cancelled().await;
                c.checkpoint().map_err(|cancelled| cancelled.to_string())
            })
        },
        "finishes" => |c| {
            let c = c.clone();
            from_future(async move {
                here(&c);
                c.cancelled().await == CancelReason::Abort
            })
        },
        "tells_reason" => |c| {
            let c = c.clone();
            from_future(async move { here(&c); c.cancelled().await.word() })
        },
        "listens" => |c| {
            let c = c.clone();
            from_closure(move || listens(&c))
        },
        "listens_late" => |c| {
            let c = c.clone();
            from_future(async move {
                here(&c);
                c.cancelled().await;
                let (heard, hears) = tokio::sync::oneshot::channel();
                c.on_cancel(|reason| heard.send(reason).expect("the body waits"));
                hears.await.expect("it is called at once")
            })
        },
        "reports_elsewhere" => |c| {
            let c = c.clone();
            from_future(async move {
                here(&c);
                let gate = gate(&c);
                std::thread::spawn(move || { gate.pass_blocking(); c.progress(2, 2) });
                std::future::pending::<()>().await
            })
        },
        "wakes_once" => |c| {
            let c = c.clone();
            from_future(async move {
                here(&c);
                gate(&c).pass().await;
                gate(&c).reached.notify_one();
                std::future::pending::<()>().await
            })
        },
        "computes" => |c| {
            let c = c.clone();
            from_closure(move || { compute(); c.cancel_reason() })
        },
        "computes_elsewhere" => |c| {
            let c = c.clone();
            from_future(async move {
                let (done, is_done) = tokio::sync::oneshot::channel();
                std::thread::spawn(move || { compute(); done.send(()) });
                is_done.await.expect("it computes");
                c.cancel_reason()
            })
        },
        "gated" => |c| {
            let c = c.clone();
            from_future::<ViaResult, _, _, _>(async move { here(&c); gate(&c).pass().await; Answer::Ok(9) })
        },
        "plain_gated" => |c| {
            let c = c.clone();
            from_closure::<ViaResult, _, _>(move || { here(&c); gate(&c).pass_blocking(); Answer::Ok(9) })
        },
        "stuck" => |c| {
            let c = c.clone();
            from_future::<ViaResult, _, _, _>(async move {
                here(&c);
                gate(&c).pass_blocking();
                tokio::task::yield_now().await;
                Answer::Ok(9)
            })
        },
        "defers" => |c| {
            let c = c.clone();
            from_future::<ViaResult, _, _, _>(async move {
                let deferral = c.deferral();
                let gate = gate(&c);
                tokio::spawn(async move { gate.pass().await; drop(deferral) });
                Answer::Ok(10)
            })
        },
        "floods" => |c| {
            let c = c.clone();
            from_closure(move || for done in 1..=100_000_u32 { c.progress(done, 100_000_u32) })
        },
        // Returns how many milliseconds it took.
        "reports_a_million" => |c| {
            let c = c.clone();
            from_closure(move || {
                let start = std::time::Instant::now();
                for done in 1..=1_000_000_u32 { c.progress(done, 1_000_000_u32) }
                start.elapsed().as_millis() as u64
            })
        },
        "leaks_a_deferral" => |c| {
            let c = c.clone();
            from_future(async move { std::mem::forget(c.deferral()); here(&c) })
        },
        "leaks_a_deferral_in_silence" => |c| {
            let c = c.clone();
            from_future(async move { std::mem::forget(c.deferral()) })
        },
        "wordy" => |c| {
            let c = c.clone();
            from_future(async move { c.progress_with(1, 2, "é".repeat(1 << 20)) })
        },
        "spins" => |c| {
            let c = c.clone();
            from_future(async move { here(&c); loop { std::hint::spin_loop() } #[allow(unreachable_code)] () })
        },
        "plain_spins" => |c| {
            let c = c.clone();
            from_closure(move || { here(&c); loop { std::hint::spin_loop() } #[allow(unreachable_code)] () })
        },
        "burns" => |_| from_future(async { burn() }),
        "plain_burns" => |_| from_closure(burn),
        "burns_elsewhere" => |_| from_future(async {
            std::thread::spawn(burn).join().expect("no panic");
        }),
        "spins_until_asked" => |c| {
            let c = c.clone();
            from_closure::<ViaResult, _, _>(move || loop {
                c.checkpoint().map_err(|cancelled| cancelled.to_string())?;
                if false { break Answer::Ok(0) }
            })
        },
        "aborts" => |_| from_closure(|| if true { std::process::abort() }),
        "exits_0" => |_| from_closure(|| if true { std::process::exit(0) }),
        "exits_3" => |_| from_closure(|| if true { std::process::exit(3) }),
        "faults" => |_| from_closure(|| {
            // The first only takes away the standard library's handler of stack overflows.
            while rustix::process::kill_process(
                rustix::process::getpid(), rustix::process::Signal::SEGV).is_ok() {}
        }),
        "maps" => |c| { let c = c.clone(); from_future(async move { maps(160 << 20); here(&c); std::future::pending::<()>().await }) },
        "starts" => |c| from_future(starts(c.clone())),
        "allocates" => |_| from_closure(|| std::hint::black_box(vec![1_u8; 4 << 30]).len()),
        "moves" => |c| {
            let c = c.clone();
            from_future(async move {
                use rustix::process::{getpgid, getppid, setpgid};
                let app = getpgid(getppid()).expect("the app's group");
                setpgid(None, Some(app)).expect("a group of the session");
                here(&c);
                std::future::pending::<()>().await;
            })
        },
        "ignores_terminate" => |c| {
            let c = c.clone();
            from_future(async move {
                let kind = tokio::signal::unix::SignalKind::terminate();
                let mut terminate = tokio::signal::unix::signal(kind).expect("a handler");
                here(&c);
                while terminate.recv().await.is_some() {}
            })
        },
        _ => return None,
    })
}

/// Has so many bytes of a file in memory, which count as no allocation.
#[allow(unsafe_code)]
fn maps(bytes: usize) {
    use rustix::{
        fs::{MemfdFlags, ftruncate, memfd_create},
        mm::{MapFlags, ProtFlags, mmap},
    };

    let file = memfd_create("maps", MemfdFlags::CLOEXEC).expect("a file");
    ftruncate(&file, bytes as u64).expect("its length");
    let (may, how) = (ProtFlags::READ, MapFlags::SHARED | MapFlags::POPULATE);
    // SAFETY: nothing is at an address that the kernel chooses.
    unsafe { mmap(std::ptr::null_mut(), bytes, may, how, &file, 0) }.expect("mapped");
}

/// Runs the first argument in a shell, and tells as its progress the process id that comes back.
/// Then it does as the second argument says.
async fn starts(context: TaskContext) {
    use tokio::io::{AsyncBufReadExt, BufReader};

    let arguments = context.details().arguments.as_ref().expect("arguments");
    let mut shell = tokio::process::Command::new("sh");
    shell.args(["-c", arguments[0].as_str().expect("a script")]);
    let shell = shell.stdout(std::process::Stdio::piped()).spawn();
    let output = shell.expect("a shell").stdout.expect("its output");
    let told = BufReader::new(output).lines().next_line().await;
    let told = told.expect("read").expect("a line");
    context.progress(told.parse::<u32>().expect("a process id"), 0_u32);
    match arguments[1].as_str() {
        Some("returns") => {}
        Some("stays") => std::future::pending().await,
        Some("exits when asked") => {
            context.cancelled().await;
            std::process::exit(0)
        }
        Some("aborts when asked") => {
            context.cancelled().await;
            std::process::abort()
        }
        other => panic!("no such end: {other:?}"),
    }
}

/// Computes without looking, and stops when a callback tells it to. Another callback panics.
fn listens(context: &TaskContext) -> (CancelReason, bool, u32) {
    let (heard, hears) = std::sync::mpsc::channel();
    let calls = Arc::new(AtomicU32::new(0));
    let called = Arc::clone(&calls);
    let keeps = context.clone();
    context.on_cancel(|_| panic!("in the callback"));
    context.on_cancel(move |reason| {
        called.fetch_add(1, Ordering::Relaxed);
        // So that it may spawn, as the body may.
        tokio::runtime::Handle::current().spawn(async {});
        let asked = keeps.cancel_reason() == Some(reason);
        let thread = std::thread::current().id();
        let _ = heard.send((reason, asked, thread));
    });
    here(context);
    loop {
        std::hint::spin_loop();
        if let Ok((reason, asked, thread)) = hears.try_recv() {
            let other = thread != std::thread::current().id();
            return (reason, asked && other, calls.load(Ordering::Relaxed));
        }
    }
}

/// Uses one and a half times [`IDLES`] of CPU time.
fn compute() {
    let used = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::try_from(time).expect("it does not go back")
    };
    let start = used();
    while used() - start < IDLES * 3 / 2 {
        std::hint::spin_loop();
    }
}

struct PanicsAgain;

impl Drop for PanicsAgain {
    fn drop(&mut self) {
        panic!("again");
    }
}

/// As the registry would answer.
pub(super) fn tasks() -> TaskLookup {
    Arc::new(|task| {
        start_of(task)?;
        Some(&LINKED)
    })
}

/// The CPU time that bodies use which burn it.
pub(super) const BURNT: Duration = Duration::from_millis(40);

/// Uses CPU time of this thread.
fn burn() {
    let used = || rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let used = || Duration::try_from(used()).expect("a time");
    let end = used() + BURNT;
    while used() < end {
        std::hint::spin_loop();
    }
}
