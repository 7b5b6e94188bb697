//! Requests of work on a device, and Windows' four answers.

use std::{
    fmt,
    path::{Path, PathBuf},
    pin::Pin,
    time::Duration,
};

use super::{App, Run, TaskHandle, requester::Requester, to_json};
use crate::{
    AccessStatus, Code, DeviceDetails, DeviceTask, Error, Result, TaskType,
    broker::{Command, Requested},
    monitor::resolve_device,
};

/// As much of a battery's charge as servicing a device needs, in percent.
const ENOUGH: u32 = 33;

/// The answer to a request for a device (Windows:
/// [`DeviceTriggerResult`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.devicetriggerresult)).
#[must_use]
pub enum DeviceRequestOutcome<F: TaskType> {
    /// Accepted and persisted; it runs when it has a slot, and the device is there.
    Allowed(Run<F>),
    /// The user disabled the task, or does not let the app work in the background; nothing was
    /// accepted.
    DeniedByUser,
    /// A run of the task is active and `overlap` was not stated, or a policy does not let the app
    /// work in the background; nothing was accepted.
    DeniedBySystem,
    /// `device_servicing`: the machine runs on its battery, and that has 33 percent or less; nothing
    /// was accepted.
    LowBattery,
}

/// The type of a task shows nothing: it has no values.
impl<F: TaskType> fmt::Debug for DeviceRequestOutcome<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed(run) => f.debug_tuple("Allowed").field(run).finish(),
            Self::DeniedByUser => f.write_str("DeniedByUser"),
            Self::DeniedBySystem => f.write_str("DeniedBySystem"),
            Self::LowBattery => f.write_str("LowBattery"),
        }
    }
}

impl<F: TaskType> DeviceRequestOutcome<F> {
    /// The run, or an error that says why there is none.
    ///
    /// # Errors
    /// [`Code::NotAccepted`] for the other answers.
    pub fn allowed(self) -> Result<Run<F>> {
        let (why, remedy) = match self {
            Self::Allowed(run) => return Ok(run),
            Self::DeniedByUser => (
                "the user does not allow it",
                "`bgtask why NAME` and `bgtask access` say what the user said",
            ),
            Self::DeniedBySystem => (
                "a run of this task is active, or a policy does not allow it",
                "`bgtask why NAME` says which",
            ),
            Self::LowBattery => ("the battery is low", "connect the machine to mains"),
        };
        Err(Error::new(Code::NotAccepted, format!("not accepted: {why}")).remedy(remedy))
    }
}

impl<F: TaskType> TaskHandle<F> {
    /// Requests a run of a `device_use` or `device_servicing` task for a device: the path of its
    /// node, `/dev/ttyUSB0`, or of its folder, `/sys/class/net/eth0`, also through symbolic links
    /// such as `/dev/disk/by-id/…`. The task is given it as [`DeviceDetails`].
    ///
    /// What is accepted is persisted, as with [`request`](Self::request). It ends with the device:
    /// when that leaves, the run is asked to stop with
    /// [`SystemPolicy`](crate::CancelReason::SystemPolicy), and what had not started never does.
    /// Whether the app may open the device is for the system to say when it does.
    ///
    /// ```no_run
    /// use bgtask::{DeviceDetails, prelude::*};
    ///
    /// #[background_task(trigger = device_use, host = process)]
    /// async fn read_watch(device: DeviceDetails, Args(since): Args<u64>) -> String {
    ///     format!("steps of {} since {since}", device.path.display())
    /// }
    ///
    /// #[bgtask::main]
    /// async fn main(app: App) -> Result<(), Box<dyn std::error::Error>> {
    ///     let watch = app.task::<read_watch>().request_device("/dev/ttyUSB0", 7).await?;
    ///     println!("{}", watch.allowed()?.completed().await?);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// Windows: [`DeviceUseTrigger.RequestAsync`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.deviceusetrigger.requestasync),
    /// where the id is that of `DeviceInformation`.
    ///
    /// # Errors
    /// [`Code::UnknownDevice`] when no device of this id is there, and those of
    /// [`request`](Self::request).
    pub fn request_device(
        &self,
        device: impl AsRef<Path>,
        arguments: F::Args,
    ) -> DeviceRequestFuture<'_, F>
    where
        F: DeviceTask,
    {
        let id = device.as_ref().to_owned();
        Box::pin(self.for_device(id, None, arguments))
    }

    /// As [`request_device`](Self::request_device), and says how long the work is expected to take:
    /// [`DeviceDetails::expected`]. It limits nothing; `timeout` does.
    ///
    /// Windows: [`DeviceServicingTrigger.RequestAsync`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.deviceservicingtrigger.requestasync).
    ///
    /// # Errors
    /// As [`request_device`](Self::request_device).
    pub fn request_servicing(
        &self,
        device: impl AsRef<Path>,
        expected: Duration,
        arguments: F::Args,
    ) -> DeviceRequestFuture<'_, F>
    where
        F: DeviceTask,
    {
        let id = device.as_ref().to_owned();
        Box::pin(self.for_device(id, Some(expected), arguments))
    }

    async fn for_device(
        &self,
        id: PathBuf,
        expected: Option<Duration>,
        arguments: F::Args,
    ) -> Result<DeviceRequestOutcome<F>> {
        let arguments = to_json(&arguments)?;
        let name = self.name();
        self.app.check_foreground(name)?;
        let device = DeviceDetails {
            path: resolve_device(&id).map_err(|error| error.task(name))?,
            id,
            expected,
        };
        match self.app.access_status() {
            status if status.is_allowed() => {}
            AccessStatus::DeniedByUser => return Ok(DeviceRequestOutcome::DeniedByUser),
            _ => return Ok(DeviceRequestOutcome::DeniedBySystem),
        }
        if self.app.is_too_low_for(name).await {
            return Ok(DeviceRequestOutcome::LowBattery);
        }
        let answer = self
            .app
            .ask(|reply| Command::Request {
                task: name.to_owned(),
                arguments,
                later: None,
                device: Some(device),
                journal: true,
                reply,
            })
            .await??;
        Ok(match answer {
            Requested::Accepted(accepted) => {
                let requester = Requester::App(self.app.clone());
                DeviceRequestOutcome::Allowed(Run::new(requester, name, accepted))
            }
            Requested::CurrentlyRunning => DeviceRequestOutcome::DeniedBySystem,
            Requested::Disabled => DeviceRequestOutcome::DeniedByUser,
        })
    }
}

impl App {
    /// Whether the battery has too little for what a task does.
    async fn is_too_low_for(&self, task: &str) -> bool {
        let servicing = self.inner.registry.get(task).is_some_and(|task| {
            let trigger = &task.declaration.trigger;
            matches!(trigger, bgtask_model::Trigger::DeviceServicing)
        });
        if !servicing {
            return false;
        }
        let power = self.inner.power.current().await;
        power.is_on_battery()
            && power
                .charge
                .is_some_and(|charge| charge <= f64::from(ENOUGH))
    }
}

/// A request for a device on its way, from [`TaskHandle::request_device`]; a type without bounds, as
/// [`RequestFuture`](crate::RequestFuture) is.
pub type DeviceRequestFuture<'a, F> =
    Pin<Box<dyn Future<Output = Result<DeviceRequestOutcome<F>>> + Send + 'a>>;
