//! Supervises the host of one place: spawns it when it is needed, hands it runs, keeps
//! their time, and turns its end, of whatever kind, into the end of each of its runs.

use std::{
    collections::HashMap, io, os::fd::OwnedFd, process::ExitStatus, sync::Arc, time::Duration,
};

use tokio::{
    net::UnixStream,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinHandle,
};

use super::{
    Assignment, Limits, Place, Share,
    alarm::{Alarm, Alarms, Armed},
    cpu::{CpuBudget, used_with_children},
    debugger, environment, memory,
    process::ProcessConfig,
    remote_data::APP_TAKES,
    report::Report,
    spawned::{Spawned, TERM_GRACE},
};
use crate::{
    CancelReason, KillCause, Outcome, RunId, Socket,
    clock::Clock,
    ipc::{
        frame::{Frame, FrameError, FrameReceiver, FrameSender, Frames},
        host_message::{BuildId, FromHost, Kept, PROTOCOL, ToHost, Work, agree},
    },
    task::{DataReader, GivenBack},
};

/// How long a host may take for its start, `setup` included.
const STARTUP: Duration = Duration::from_secs(60);

/// How the kernel ends a process that has used the CPU time it may.
const SIGXCPU: i32 = 24;

/// What the app asks of a group.
#[derive(Debug)]
pub(super) enum Order {
    Start(Box<Assignment>, Report),
    Cancel(RunId, CancelReason),
}

/// Serves the orders of one place, with one process after another; for a run that is alone, with
/// one process.
#[derive(Debug)]
pub(super) struct Supervisor {
    config: Arc<ProcessConfig>,
    place: Place,
    clock: Arc<dyn Clock>,
    orders: mpsc::UnboundedReceiver<Order>,
}

impl Supervisor {
    pub(super) fn new(
        config: Arc<ProcessConfig>,
        place: Place,
        clock: Arc<dyn Clock>,
        orders: mpsc::UnboundedReceiver<Order>,
    ) -> Self {
        Self {
            config,
            place,
            clock,
            orders,
        }
    }

    /// Ends when the orders end, and the host with it.
    pub(super) async fn serve(mut self) {
        while let Some(order) = self.orders.recv().await {
            // Without a process nothing runs, so there is nothing to cancel.
            let Order::Start(assignment, mut report) = order else {
                continue;
            };
            match self.spawn() {
                Ok(mut host) => {
                    host.start(*assignment, report);
                    let end = host.serve(&mut self.orders).await;
                    host.end(end, &self.place).await;
                }
                Err(error) => report.end(killed(KillCause::HostLost {
                    detail: format!("its process could not be started: {error}"),
                })),
            }
            if self.place.share == Share::Alone {
                return;
            }
        }
    }

    fn spawn(&self) -> io::Result<LiveHost> {
        let mut env = environment::of_host(
            std::env::vars_os(),
            &self.config.env_names,
            &self.place.settings.env,
        );
        env.extend(self.config.envs.iter().cloned());
        let (mut process, socket) = Spawned::new(
            &self.config.exe,
            &self.config.args,
            &env,
            self.place.settings.memory,
            Arc::clone(&self.clock),
        )?;
        process.want_scope(&self.config.app_id, self.config.session_bus.as_deref());
        let hello = Hello {
            build: BuildId::of_this_process()?,
            nonce: uuid::Uuid::now_v7().to_string(),
        };
        let idle_after = (self.place.share != Share::Alone).then_some(self.config.idle);
        let mut host = LiveHost::new(
            process,
            socket,
            idle_after,
            Arc::clone(&self.config.data),
            &self.clock,
        );
        host.send(&ToHost::Hello {
            protocol: PROTOCOL,
            build: hello.build.clone(),
            app_id: self.config.app_id.clone(),
            group: self.place.to_string(),
            nonce: hello.nonce.clone(),
            workers: self.config.workers,
            settings: (&self.place.settings).into(),
        })
        .map_err(io::Error::other)?;
        host.stage = Stage::Greeted(hello);
        Ok(host)
    }
}

/// What the host's hello must repeat.
#[derive(Debug)]
struct Hello {
    build: BuildId,
    nonce: String,
}

#[derive(Debug)]
enum Stage {
    /// Spawned, and said hello to.
    Greeted(Hello),
    /// It said hello, and runs `setup`.
    SettingUp,
    Ready,
}

/// Why a host is not served any further.
#[derive(Debug)]
enum End {
    /// It exited by itself.
    Exited(ExitStatus),
    /// Its connection ended; it may have exited.
    Silent,
    /// It is not to be trusted any more.
    Lost(String),
    /// It will run no body: its settings, or its `setup`, failed.
    Unready(KillCause),
    /// A run did not stop in its grace.
    Overrun,
    /// More of it is in memory than this limit.
    Memory(u64),
    /// It is not needed any more.
    Idle,
    /// The app gave up its hosts.
    Closed,
}

/// A run that was handed to the host.
#[derive(Debug)]
struct Active {
    report: Report,
    limits: Limits,
    metered: bool,
    /// It was asked to stop; if it has to be killed for not doing so, this is the cause.
    asked: Option<KillCause>,
    /// Its grace is over.
    overrun: bool,
    /// The alarm of its time, then of its grace.
    _alarm: Option<Armed>,
    cpu: Option<CpuBudget>,
    _cpu_alarm: Option<Armed>,
}

/// A process and its runs.
#[derive(Debug)]
struct LiveHost {
    process: Spawned,
    receiver: FrameReceiver<FromHost>,
    outgoing: mpsc::UnboundedSender<Outgoing>,
    data: Arc<dyn DataReader>,
    /// What it may ask at a time.
    reads: Arc<Semaphore>,
    writer: JoinHandle<()>,
    stage: Stage,
    alarms: Alarms,
    waiting: Vec<(Assignment, Report)>,
    runs: HashMap<RunId, Active>,
    /// `None` ends it with its run.
    idle_after: Option<Duration>,
    /// The start-up alarm, then the idle alarm.
    alarm: Option<Armed>,
    memory_alarm: Option<Armed>,
    /// Its id may be another process's by now.
    is_gone: bool,
}

impl LiveHost {
    fn new(
        process: Spawned,
        socket: UnixStream,
        idle_after: Option<Duration>,
        data: Arc<dyn DataReader>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let (sender, receiver) = Frames::new(socket).split();
        let (outgoing, queue) = mpsc::unbounded_channel();
        let alarms = Alarms::new(Arc::clone(clock));
        let alarm = Some(alarms.set(Alarm::Startup, STARTUP));
        Self {
            process,
            receiver,
            outgoing,
            data,
            reads: Arc::new(Semaphore::new(APP_TAKES)),
            // Of its own, so that a host that does not read cannot hold up its supervisor.
            writer: tokio::spawn(write(sender, queue)),
            stage: Stage::SettingUp,
            alarms,
            waiting: Vec::new(),
            runs: HashMap::new(),
            idle_after,
            alarm,
            memory_alarm: None,
            is_gone: false,
        }
    }

    async fn serve(&mut self, orders: &mut mpsc::UnboundedReceiver<Order>) -> End {
        loop {
            let end = tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Start(assignment, report)) => {
                        self.start(*assignment, report);
                        None
                    }
                    Some(Order::Cancel(run, reason)) => {
                        self.cancel(run, reason);
                        None
                    }
                    None => Some(End::Closed),
                },
                message = self.receiver.receive() => match message {
                    Ok(Some(message)) => self.hear(message),
                    Ok(None) | Err(FrameError::Io(_)) => Some(End::Silent),
                    Err(error) => Some(End::Lost(error.to_string())),
                },
                alarm = self.alarms.next() => self.ring(alarm),
                status = self.process.wait() => Some(match status {
                    Ok(status) => End::Exited(status),
                    Err(error) => End::Lost(format!("it cannot be waited for: {error}")),
                }),
            };
            if let Some(end) = end {
                return end;
            }
            if self.idle_after.is_none() && self.waiting.is_empty() && self.runs.is_empty() {
                return End::Idle;
            }
        }
    }

    /// # Errors
    /// The message is too long, or not to be written.
    fn send(&self, message: &ToHost) -> Result<(), FrameError> {
        self.send_with(message, None)
    }

    /// As [`send`](Self::send), with a descriptor.
    fn send_with(&self, message: &ToHost, fd: Option<OwnedFd>) -> Result<(), FrameError> {
        let frame = Frame::of(message)?;
        // A writer that is gone means a connection that is gone, which the reading side sees.
        let _ = self.outgoing.send(Outgoing {
            frame,
            fd,
            _turn: None,
        });
        Ok(())
    }

    fn start(&mut self, assignment: Assignment, mut report: Report) {
        if !matches!(self.stage, Stage::Ready) {
            self.waiting.push((assignment, report));
            return;
        }
        let run = assignment.run;
        let socket = assignment.socket.and_then(|socket| socket.take());
        let start = ToHost::Start(Box::new(Work {
            run,
            task: assignment.task,
            entry: assignment.entry,
            attempt: assignment.attempt,
            fence: assignment.fence,
            details: assignment.details,
            idle: assignment.limits.idle,
            max_result: assignment.max_result,
            metered: assignment.metered,
            socket: socket.as_ref().map(Socket::kind),
        }));
        let sent = self.send_with(&start, socket.map(OwnedFd::from));
        if let Err(error) = sent {
            report.end(Outcome::Failed {
                error: format!("its arguments cannot be sent to its process: {error}"),
            });
            return;
        }
        self.alarm = None;
        let alarm = assignment
            .limits
            .timeout
            .map(|timeout| self.alarms.set(Alarm::Quota(run), timeout));
        let active = Active {
            report,
            limits: assignment.limits,
            metered: assignment.metered,
            asked: None,
            overrun: false,
            _alarm: alarm,
            cpu: None,
            _cpu_alarm: None,
        };
        self.runs.insert(run, active);
        self.budget_cpu(run);
        if self.process.has_memory_limit() && self.memory_alarm.is_none() {
            self.memory_alarm = Some(self.alarms.set(Alarm::Memory, memory::LOOK));
        }
    }

    /// From now on, the run may use the CPU time that its task may.
    fn budget_cpu(&mut self, run: RunId) {
        let Some(active) = self.runs.get_mut(&run) else {
            return;
        };
        let Some(limit) = active.limits.cpu else {
            return;
        };
        let budget = CpuBudget::new(self.process.pid(), limit);
        // In case that nobody here looks any more: by then its grace would be over, whatever it does.
        if let Err(error) = self.process.limit_cpu(budget.end(active.limits.grace)) {
            tracing::warn!(%run, %error, "the kernel does not limit its CPU time");
        }
        active.cpu = Some(budget);
        self.look_at_cpu(run);
    }

    fn look_at_cpu(&mut self, run: RunId) {
        let Some(active) = self.runs.get_mut(&run) else {
            return;
        };
        let Some(budget) = active.cpu.as_mut() else {
            return;
        };
        if let Some(wait) = budget.look() {
            active._cpu_alarm = Some(self.alarms.set(Alarm::Cpu(run), wait));
            return;
        }
        let cause = KillCause::Cpu {
            limit: budget.limit(),
            grace: active.limits.grace,
        };
        self.ask(run, CancelReason::ExecutionTimeExceeded, cause);
    }

    fn cancel(&mut self, run: RunId, reason: CancelReason) {
        if let Some(at) = self.waiting.iter().position(|(a, _)| a.run == run) {
            let (_, mut report) = self.waiting.swap_remove(at);
            report.end(Outcome::Cancelled {
                reason,
                overrun: false,
            });
            return;
        }
        let Some(active) = self.runs.get(&run) else {
            return;
        };
        let grace = active.limits.grace;
        self.ask(run, reason, KillCause::Grace { reason, grace });
    }

    /// Asks a run to stop; `cause` is its outcome if it does not. The first to ask counts.
    fn ask(&mut self, run: RunId, reason: CancelReason, cause: KillCause) {
        let Some(active) = self.runs.get_mut(&run) else {
            return;
        };
        if active.asked.is_some() {
            return;
        }
        active.asked = Some(cause);
        active._cpu_alarm = None;
        let grace = active.limits.grace;
        active._alarm = Some(self.alarms.set(Alarm::Grace(run), grace));
        let sent = self.send(&ToHost::Cancel { run, reason, grace });
        debug_assert!(sent.is_ok(), "a short message: {sent:?}");
    }

    fn hear(&mut self, message: FromHost) -> Option<End> {
        match (&self.stage, message) {
            (
                Stage::Greeted(ours),
                FromHost::Hello {
                    protocol,
                    build,
                    pid,
                    nonce,
                },
            ) => {
                if let Err(text) = agree((PROTOCOL, &ours.build), (protocol, &build)) {
                    return Some(End::Lost(text));
                }
                if nonce != ours.nonce || pid != self.process.pid() {
                    return Some(End::Lost(
                        "it is not the process that was started".to_owned(),
                    ));
                }
                self.stage = Stage::SettingUp;
            }
            (Stage::SettingUp, FromHost::Ready) => {
                self.stage = Stage::Ready;
                self.alarm = None;
                for (assignment, report) in std::mem::take(&mut self.waiting) {
                    self.start(assignment, report);
                }
                self.rest();
            }
            (Stage::Greeted(_), FromHost::Refused { error }) => return Some(End::Lost(error)),
            (Stage::SettingUp, FromHost::Refused { error }) => {
                return Some(End::Unready(KillCause::HostSettings { error }));
            }
            (Stage::SettingUp, FromHost::SetupFailed { error }) => {
                return Some(End::Unready(KillCause::HostSetup { error }));
            }
            (Stage::Ready, FromHost::Started { run }) => {
                if let Some(active) = self.runs.get_mut(&run) {
                    active.report.started(self.process.pid());
                }
            }
            (Stage::Ready, FromHost::Progress { run, progress }) => {
                if let Some(active) = self.runs.get(&run) {
                    active.report.progress(progress);
                }
            }
            (Stage::Ready, FromHost::Idle { run }) => {
                let watched = |active: &Active| active.limits.idle.is_some();
                if self.runs.get(&run).is_some_and(watched)
                    && !debugger::lifts_limits(self.process.pid())
                {
                    self.cancel(run, CancelReason::IdleTask);
                }
            }
            (Stage::Ready, FromHost::Read { ask, key }) => return self.read(ask, key),
            (Stage::Ready, FromHost::Staged { run, changes }) => {
                if let Some(active) = self.runs.get(&run) {
                    active.report.staged(changes);
                }
            }
            (
                Stage::Ready,
                FromHost::GaveBack {
                    run,
                    kind,
                    context,
                    keep_alive,
                },
            ) => {
                let Some(fd) = self.receiver.take_descriptor() else {
                    return Some(End::Lost("a socket did not come along".to_owned()));
                };
                if let Some(active) = self.runs.get(&run) {
                    active.report.gave_back(GivenBack {
                        socket: Socket::new(fd, kind),
                        context,
                        keep_alive,
                    });
                }
            }
            (Stage::Ready, FromHost::Ended { run, outcome, cpu }) => {
                if let Some(mut active) = self.runs.remove(&run) {
                    if active.metered {
                        active.report.used(self.used_alone().max(cpu));
                    }
                    active.report.end(outcome);
                    self.rest();
                }
            }
            _ => return Some(End::Lost("it spoke out of turn".to_owned())),
        }
        None
    }

    /// Reads the app's data for the host, beside everything else.
    fn read(&self, ask: u64, key: String) -> Option<End> {
        let Ok(turn) = Arc::clone(&self.reads).try_acquire_owned() else {
            return Some(End::Lost("it asks too much at a time".to_owned()));
        };
        let (data, outgoing) = (Arc::clone(&self.data), self.outgoing.clone());
        tokio::spawn(async move {
            let kept = match data.read(key).await {
                Ok(Some(value)) => Kept::Value(value),
                Ok(None) => Kept::Nothing,
                Err(error) => Kept::Unreadable(error.to_string()),
            };
            let too_long = |error: FrameError| ToHost::Data {
                ask,
                kept: Kept::Unreadable(error.to_string()),
            };
            let frame = Frame::of(&ToHost::Data { ask, kept });
            if let Ok(frame) = frame.or_else(|error| Frame::of(&too_long(error))) {
                let _ = outgoing.send(Outgoing {
                    frame,
                    fd: None,
                    _turn: Some(turn),
                });
            }
        });
        None
    }

    /// The CPU time of the whole process, when it has one run to itself and is still there.
    fn used_alone(&self) -> Option<Duration> {
        let is_alone = self.idle_after.is_none() && !self.is_gone;
        is_alone
            .then(|| used_with_children(self.process.pid()))
            .flatten()
    }

    /// Waits for the idle time, when nothing runs.
    fn rest(&mut self) {
        if self.runs.is_empty() {
            self.memory_alarm = None;
            let idle = |after| self.alarms.set(Alarm::Idle, after);
            self.alarm = self.idle_after.map(idle);
        }
    }

    fn ring(&mut self, alarm: Alarm) -> Option<End> {
        match alarm {
            Alarm::Startup if debugger::lifts_limits(self.process.pid()) => {
                self.alarm = Some(self.alarms.set(Alarm::Startup, STARTUP));
                None
            }
            Alarm::Idle if debugger::lifts_limits(self.process.pid()) => {
                self.rest();
                None
            }
            Alarm::Startup => (!matches!(self.stage, Stage::Ready))
                .then(|| End::Lost(format!("it was not ready within {STARTUP:?}"))),
            Alarm::Idle => self.runs.is_empty().then_some(End::Idle),
            Alarm::Quota(_) | Alarm::Cpu(_) | Alarm::Grace(_)
                if debugger::lifts_limits(self.process.pid()) =>
            {
                self.set_again(alarm);
                None
            }
            Alarm::Quota(run) => {
                let Limits { timeout, grace, .. } = self.runs.get(&run)?.limits;
                let cause = KillCause::WallTime {
                    limit: timeout?,
                    grace,
                };
                self.ask(run, CancelReason::ExecutionTimeExceeded, cause);
                None
            }
            Alarm::Memory => {
                let over = self.process.exceeds_memory();
                self.memory_alarm = Some(self.alarms.set(Alarm::Memory, memory::LOOK));
                over.map(End::Memory)
            }
            Alarm::Cpu(run) => {
                self.look_at_cpu(run);
                None
            }
            Alarm::Grace(run) => {
                let active = self.runs.get_mut(&run)?;
                active.overrun = true;
                Some(End::Overrun)
            }
        }
    }

    /// The time of a run starts anew: somebody debugs its process.
    fn set_again(&mut self, alarm: Alarm) {
        let (Alarm::Quota(run) | Alarm::Grace(run)) = alarm else {
            if let Alarm::Cpu(run) = alarm {
                self.budget_cpu(run);
            }
            return;
        };
        let Some(active) = self.runs.get_mut(&run) else {
            return;
        };
        let after = match alarm {
            Alarm::Quota(_) => active.limits.timeout,
            _ => Some(active.limits.grace),
        };
        active._alarm = after.map(|after| self.alarms.set(alarm, after));
    }

    /// Ends the process, and every run that is left.
    async fn end(mut self, end: End, place: &Place) {
        tracing::debug!(pid = self.process.pid(), %place, ?end, "a host ends");
        self.is_gone = matches!(end, End::Exited(_));
        // As long as it is there to be asked.
        let used = self.used_alone();
        self.is_gone = true;
        let cause = match end {
            End::Exited(status) => {
                self.process.clear().await;
                match self.hear_the_rest().await {
                    Some(End::Unready(cause)) => cause,
                    Some(End::Lost(detail)) => KillCause::HostLost { detail },
                    _ => self.process.cause(status).await,
                }
            }
            End::Silent => match self.process.end().await {
                Some(status) => self.process.cause(status).await,
                None => lost("it closed its connection and went on"),
            },
            End::Lost(detail) => {
                self.process.kill_now().await;
                KillCause::HostLost { detail }
            }
            End::Memory(limit) => {
                self.process.kill_now().await;
                self.hear_the_rest().await;
                KillCause::Memory { limit }
            }
            End::Unready(cause) => {
                self.process.end().await;
                cause
            }
            End::Overrun => {
                self.process.terminate().await;
                self.hear_the_rest().await;
                // Others may have come to the end of their grace meanwhile.
                while let Some(alarm) = self.alarms.ringing() {
                    self.ring(alarm);
                }
                lost(format!("another run of the group `{place}` was killed"))
            }
            End::Idle => {
                let sent = self.send(&ToHost::Shutdown);
                debug_assert!(sent.is_ok(), "a short message: {sent:?}");
                self.process.end().await;
                lost("it was idle")
            }
            End::Closed => {
                self.writer.abort();
                drop(self.receiver);
                self.process.end().await;
                lost("the app gave up its hosts")
            }
        };
        self.writer.abort();
        for (_, mut report) in self.waiting {
            report.end(killed(cause.clone()));
        }
        for (_, mut active) in self.runs {
            let outcome = killed(active.cause(&cause));
            if active.metered {
                active.report.used(used);
            }
            active.report.end(outcome);
        }
    }

    /// Reads what a dead host had still written, and says whether that explains its end. Runs over
    /// their grace stay so.
    async fn hear_the_rest(&mut self) -> Option<End> {
        let rest = async {
            loop {
                match self.receiver.receive().await {
                    Ok(Some(FromHost::Ended { run, .. }))
                        if self.runs.get(&run).is_some_and(|active| active.overrun) => {}
                    Ok(Some(message)) => {
                        if let Some(end) = self.hear(message) {
                            return Some(end);
                        }
                    }
                    Ok(None) | Err(FrameError::Io(_)) => return None,
                    Err(error) => return Some(End::Lost(error.to_string())),
                }
            }
        };
        // A stray copy of its socket could keep the connection open.
        tokio::time::timeout(TERM_GRACE, rest).await.ok().flatten()
    }
}

impl Active {
    /// What the end of its process was to this run.
    fn cause(&self, end: &KillCause) -> KillCause {
        match (&self.asked, end, self.limits.cpu) {
            // The process was killed for this run.
            (Some(asked), _, _) if self.overrun => asked.clone(),
            (_, KillCause::Signal { signal: SIGXCPU }, Some(limit)) => KillCause::Cpu {
                limit,
                grace: self.limits.grace,
            },
            _ => end.clone(),
        }
    }
}

/// A message, and what goes with it.
#[derive(Debug)]
struct Outgoing {
    frame: Frame,
    fd: Option<OwnedFd>,
    /// The turn of the question that it answers: free once the socket has taken it, so that a host
    /// which does not read fills no queue.
    _turn: Option<OwnedSemaphorePermit>,
}

async fn write(mut sender: FrameSender<ToHost>, mut queue: mpsc::UnboundedReceiver<Outgoing>) {
    while let Some(Outgoing { frame, fd, _turn }) = queue.recv().await {
        let sent = match fd {
            Some(fd) => sender.send_with(frame, fd).await,
            None => sender.send_frame(frame).await,
        };
        if let Err(error) = sent {
            tracing::warn!(%error, "a message to a host was not sent");
            return;
        }
    }
}

fn lost(detail: impl Into<String>) -> KillCause {
    KillCause::HostLost {
        detail: detail.into(),
    }
}

fn killed(cause: KillCause) -> Outcome {
    Outcome::Killed { cause }
}
