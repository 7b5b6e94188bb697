//! Supervises the host of one place: spawns it when it is needed, hands it runs, keeps
//! their time, and turns its end, of whatever kind, into the end of each of its runs.

use std::{collections::HashMap, io, process::ExitStatus, sync::Arc, time::Duration};

use tokio::{net::UnixStream, sync::mpsc, task::JoinHandle};

use super::{
    Assignment, Limits, Place,
    alarm::{Alarm, Alarms, Armed},
    debugger, environment,
    process::ProcessConfig,
    report::Report,
    spawned::{Spawned, TERM_GRACE},
};
use crate::{
    CancelReason, KillCause, Outcome, RunId,
    clock::Clock,
    ipc::{
        frame::{Frame, FrameError, FrameReceiver, FrameSender, Frames},
        host_message::{BuildId, FromHost, PROTOCOL, ToHost, Work, agree},
    },
};

/// How long a host may take for its start, `setup` included.
const STARTUP: Duration = Duration::from_secs(60);

/// What the app asks of a group.
#[derive(Debug)]
pub(super) enum Order {
    Start(Box<Assignment>, Report),
    Cancel(RunId, CancelReason),
}

/// Serves the orders of one place, with one process after another.
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
        }
    }

    fn spawn(&self) -> io::Result<LiveHost> {
        let mut env = environment::of_host(
            std::env::vars_os(),
            &self.config.env_names,
            &self.place.settings.env,
        );
        env.extend(self.config.envs.iter().cloned());
        let (process, socket) = Spawned::new(
            &self.config.exe,
            &self.config.args,
            &env,
            self.place.settings.memory,
            Arc::clone(&self.clock),
        )?;
        let hello = Hello {
            build: BuildId::of_this_process()?,
            nonce: uuid::Uuid::now_v7().to_string(),
        };
        let mut host = LiveHost::new(process, socket, self.config.idle, &self.clock);
        host.send(&ToHost::Hello {
            protocol: PROTOCOL,
            build: hello.build.clone(),
            app_id: self.config.app_id.clone(),
            group: self.place.to_string(),
            nonce: hello.nonce.clone(),
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
    /// It was idle for long.
    Idle,
    /// The app gave up its hosts.
    Closed,
}

/// A run that was handed to the host.
#[derive(Debug)]
struct Active {
    report: Report,
    limits: Limits,
    asked: Option<CancelReason>,
    /// Its grace is over.
    overrun: bool,
    _alarm: Option<Armed>,
}

/// A process and its runs.
#[derive(Debug)]
struct LiveHost {
    process: Spawned,
    receiver: FrameReceiver<FromHost>,
    outgoing: mpsc::UnboundedSender<Frame>,
    writer: JoinHandle<()>,
    stage: Stage,
    alarms: Alarms,
    waiting: Vec<(Assignment, Report)>,
    runs: HashMap<RunId, Active>,
    idle_after: Duration,
    /// The start-up alarm, then the idle alarm.
    alarm: Option<Armed>,
}

impl LiveHost {
    fn new(
        process: Spawned,
        socket: UnixStream,
        idle_after: Duration,
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
            // Of its own, so that a host that does not read cannot hold up its supervisor.
            writer: tokio::spawn(write(sender, queue)),
            stage: Stage::SettingUp,
            alarms,
            waiting: Vec::new(),
            runs: HashMap::new(),
            idle_after,
            alarm,
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
        }
    }

    /// # Errors
    /// The message is too long, or not to be written.
    fn send(&self, message: &ToHost) -> Result<(), FrameError> {
        let frame = Frame::of(message)?;
        // A writer that is gone means a connection that is gone, which the reading side sees.
        let _ = self.outgoing.send(frame);
        Ok(())
    }

    fn start(&mut self, assignment: Assignment, mut report: Report) {
        if !matches!(self.stage, Stage::Ready) {
            self.waiting.push((assignment, report));
            return;
        }
        let run = assignment.run;
        let sent = self.send(&ToHost::Start(Box::new(Work {
            run,
            task: assignment.task,
            attempt: assignment.attempt,
            fence: assignment.fence,
            details: assignment.details,
            idle: assignment.limits.idle,
            max_result: assignment.max_result,
        })));
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
            asked: None,
            overrun: false,
            _alarm: alarm,
        };
        self.runs.insert(run, active);
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
        let Some(active) = self.runs.get_mut(&run) else {
            return;
        };
        if active.asked.is_some() {
            return;
        }
        active.asked = Some(reason);
        active._alarm = Some(self.alarms.set(Alarm::Grace(run), active.limits.grace));
        let grace = active.limits.grace;
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
            (Stage::Ready, FromHost::Ended { run, outcome }) => {
                if let Some(mut active) = self.runs.remove(&run) {
                    active.report.end(outcome);
                    self.rest();
                }
            }
            _ => return Some(End::Lost("it spoke out of turn".to_owned())),
        }
        None
    }

    /// Waits for the idle time, when nothing runs.
    fn rest(&mut self) {
        if self.runs.is_empty() {
            self.alarm = Some(self.alarms.set(Alarm::Idle, self.idle_after));
        }
    }

    fn ring(&mut self, alarm: Alarm) -> Option<End> {
        match alarm {
            Alarm::Startup => (!matches!(self.stage, Stage::Ready))
                .then(|| End::Lost(format!("it was not ready within {STARTUP:?}"))),
            Alarm::Idle => self.runs.is_empty().then_some(End::Idle),
            Alarm::Quota(_) | Alarm::Grace(_) if debugger::lifts_limits(self.process.pid()) => {
                self.set_again(alarm);
                None
            }
            Alarm::Quota(run) => {
                self.cancel(run, CancelReason::ExecutionTimeExceeded);
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
        let cause = match end {
            End::Exited(status) => match self.hear_the_rest().await {
                Some(End::Unready(cause)) => cause,
                Some(End::Lost(detail)) => KillCause::HostLost { detail },
                _ => self.process.cause(status),
            },
            End::Silent => match self.process.end().await {
                Some(status) => self.process.cause(status),
                None => lost("it closed its connection and went on"),
            },
            End::Lost(detail) => {
                self.process.kill_now().await;
                KillCause::HostLost { detail }
            }
            End::Unready(cause) => {
                self.process.end().await;
                cause
            }
            End::Overrun => {
                // Others may be over their grace at this very moment.
                while let Some(alarm) = self.alarms.ringing() {
                    self.ring(alarm);
                }
                self.process.terminate().await;
                self.hear_the_rest().await;
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
            let outcome = killed(active.own_cause().unwrap_or_else(|| cause.clone()));
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
    /// Why the process was killed, when it was for this run.
    fn own_cause(&self) -> Option<KillCause> {
        if !self.overrun {
            return None;
        }
        match (self.asked?, self.limits.timeout) {
            (CancelReason::ExecutionTimeExceeded, Some(limit)) => Some(KillCause::WallTime {
                limit,
                grace: self.limits.grace,
            }),
            (reason, _) => Some(KillCause::Grace {
                reason,
                grace: self.limits.grace,
            }),
        }
    }
}

async fn write(mut sender: FrameSender<ToHost>, mut queue: mpsc::UnboundedReceiver<Frame>) {
    while let Some(frame) = queue.recv().await {
        if let Err(error) = sender.send_frame(frame).await {
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
