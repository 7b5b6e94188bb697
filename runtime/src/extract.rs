//! What a task's parameters may be, and where their values come from.

use std::{any::TypeId, fmt, ops::Deref, sync::Arc};

use bgtask_model::{SystemEvent, Trigger};
use serde::de::DeserializeOwned;

use crate::{
    Details, DeviceChanges, DeviceDetails, FileChanges, NetworkDetails, RawNotification,
    ScheduledTime, ServiceConnection, SocketActivity, TaskContext, TaskType, ToastAction,
    task::ServiceLines,
};

/// The arguments of a request, of a raised event, or of `bgtask fire --args`, as the type the
/// task works with. They travel as JSON; what does not fit is refused before it is accepted.
///
/// A task takes one, written with this name: the attribute reads `T` from it.
///
/// ```
/// use bgtask::prelude::*;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Resize {
///     width: u32,
/// }
///
/// #[background_task(trigger = application)]
/// async fn resize(Args(job): Args<Resize>) -> u32 {
///     job.width
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Args<T>(
    /// The arguments.
    pub T,
);

/// A value that `setup` gave to [`AppBuilder::state`](crate::AppBuilder::state), in this process.
///
/// Every process of the app has its own: state is not shared between the app and its hosts.
///
/// ```
/// use bgtask::prelude::*;
///
/// struct Db;
///
/// #[background_task(trigger = every("10m"))]
/// async fn vacuum(State(db): State<Db>) {
///     let _: std::sync::Arc<Db> = db;
/// }
///
/// fn setup(app: AppBuilder) -> Result<AppBuilder, std::io::Error> {
///     Ok(app.state(Db)) // without it, the app does not start
/// }
/// # fn main() { let _ = setup(AppBuilder::new("demo")); }
/// ```
pub struct State<T>(
    /// The value.
    pub Arc<T>,
);

impl<T> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for State<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "State<{}>", std::any::type_name::<T>())
    }
}

/// What a task needs from its surroundings; collected once at start-up, so that what is missing is
/// an error then and not at the first run.
#[derive(Debug, Default)]
pub struct Requirements {
    pub(crate) states: Vec<(TypeId, &'static str)>,
    pub(crate) arguments: Option<Arguments>,
    pub(crate) details: Vec<Given>,
}

/// The arguments that a function takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arguments {
    pub(crate) check: CheckArguments,
    /// The function, as a type and for people.
    pub(crate) function: (TypeId, &'static str),
}

/// A type of details that only some triggers give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// [`ScheduledTime`]: by what comes due.
    Scheduled,
    /// [`NetworkDetails`]: by a change of the network.
    Network,
    /// [`FileChanges`]: by `files`.
    Files,
    /// [`DeviceChanges`]: by `device`.
    Device,
    /// [`DeviceDetails`]: by a request for a device.
    DeviceUse,
    /// [`RawNotification`]: by `push`.
    Push,
    /// [`ToastAction`]: by `toast_action`.
    Toast,
    /// [`ServiceConnection`]: by `app_service`.
    Service,
    /// [`SocketActivity`]: by `socket` and `control_channel`.
    Socket,
}

impl Requirements {
    /// What a parameter needs and a trigger does not give, by its name. The attribute tells the
    /// same at compile time; here it is for triggers that came later.
    pub(crate) fn not_given_by(&self, trigger: &Trigger) -> Option<&'static str> {
        let asked = matches!(
            trigger,
            Trigger::Application
                | Trigger::MediaProcessing
                | Trigger::Custom { .. }
                | Trigger::DeviceUse
                | Trigger::DeviceServicing
        );
        if self.arguments.is_some() && !asked {
            return Some("Args");
        }
        self.details.iter().find_map(|details| match details {
            Given::Scheduled => (!trigger.is_timed()).then_some("ScheduledTime"),
            Given::Network => {
                let event = SystemEvent::InternetAvailable;
                let other = SystemEvent::NetworkStateChange;
                let of_network = matches!(
                    trigger,
                    Trigger::System { event: one, .. } if *one == event || *one == other
                );
                (!of_network).then_some("NetworkDetails")
            }
            Given::Files => {
                let of_files = matches!(trigger, Trigger::Files { .. });
                (!of_files).then_some("FileChanges")
            }
            Given::Device => {
                let of_device = matches!(trigger, Trigger::Device { .. });
                (!of_device).then_some("DeviceChanges")
            }
            Given::DeviceUse => {
                let for_a_device = matches!(trigger, Trigger::DeviceUse | Trigger::DeviceServicing);
                (!for_a_device).then_some("DeviceDetails")
            }
            Given::Push => {
                let pushed = matches!(trigger, Trigger::Push { .. });
                (!pushed).then_some("RawNotification")
            }
            Given::Toast => {
                let of_a_toast = matches!(trigger, Trigger::ToastAction);
                (!of_a_toast).then_some("ToastAction")
            }
            Given::Service => {
                let connected = matches!(trigger, Trigger::AppService { .. });
                (!connected).then_some("ServiceConnection")
            }
            Given::Socket => {
                let of_socket = matches!(
                    trigger,
                    Trigger::Socket { .. } | Trigger::ControlChannel { .. }
                );
                (!of_socket).then_some("SocketActivity")
            }
        })
    }
}

/// Says whether a JSON value fits a task's arguments.
pub(crate) type CheckArguments = fn(&serde_json::Value) -> Result<(), String>;

/// A parameter of a task whose trigger is of the kind `K`. Not public API: written by the attribute.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of this task",
    label = "not something this trigger gives",
    note = "every task may take `TaskContext` and `State<T>`; `time`, `every`, `cron`, `at` and `maintenance` give `ScheduledTime`; `application`, `media_processing`, `custom`, `device_use` and `device_servicing` give `Args<T>`, under this name; `system(internet_available)` and `system(network_state_change)` give `NetworkDetails`; `files` gives `FileChanges`, `device` gives `DeviceChanges`, `device_use` and `device_servicing` give `DeviceDetails`, `push` gives `RawNotification`, `socket` and `control_channel` give `SocketActivity`, `toast_action` gives `ToastAction`, `app_service` gives `ServiceConnection`"
)]
#[doc(hidden)]
pub trait Parameter<K>: Sized {
    fn extract(context: &TaskContext) -> Result<Self, String>;
    fn require(requirements: &mut Requirements);
}

/// Where a parameter's value comes from. Not public API.
#[doc(hidden)]
pub trait FromContext: Sized {
    fn extract(context: &TaskContext) -> Result<Self, String>;
    fn require(_: &mut Requirements) {}
}

/// The kinds of trigger, and what a task of each may take: the compiler lists the types. Not
/// public API.
#[doc(hidden)]
pub mod kind {
    use super::{FromContext, Parameter, Requirements, State};
    use crate::{
        DeviceChanges, DeviceDetails, FileChanges, NetworkDetails, RawNotification, ScheduledTime,
        ServiceConnection, SocketActivity, TaskContext, ToastAction,
    };

    /// `time`, `every`, `cron`, `at`, `maintenance`
    #[derive(Debug)]
    pub struct Timed;
    /// `application`, `media_processing`, `custom`
    #[derive(Debug)]
    pub struct Requested;
    /// `system(internet_available)`, `system(network_state_change)`
    #[derive(Debug)]
    pub struct Network;
    /// `files`
    #[derive(Debug)]
    pub struct Files;
    /// `device`
    #[derive(Debug)]
    pub struct Device;
    /// `device_use`, `device_servicing`
    #[derive(Debug)]
    pub struct DeviceUse;
    /// `push`
    #[derive(Debug)]
    pub struct Push;
    /// `toast_action`
    #[derive(Debug)]
    pub struct Toast;
    /// `app_service`
    #[derive(Debug)]
    pub struct Service;
    /// `socket`, `control_channel`
    #[derive(Debug)]
    pub struct Socket;
    /// every other
    #[derive(Debug)]
    pub struct Plain;

    pub trait GivenWhenDue: FromContext {}
    impl GivenWhenDue for TaskContext {}
    impl<T: Send + Sync + 'static> GivenWhenDue for State<T> {}
    impl GivenWhenDue for ScheduledTime {}

    pub trait GivenWhenAsked: FromContext {}
    impl GivenWhenAsked for TaskContext {}
    impl<T: Send + Sync + 'static> GivenWhenAsked for State<T> {}

    pub trait GivenOnNetworkChange: FromContext {}
    impl GivenOnNetworkChange for TaskContext {}
    impl<T: Send + Sync + 'static> GivenOnNetworkChange for State<T> {}
    impl GivenOnNetworkChange for NetworkDetails {}

    pub trait GivenOnFileChange: FromContext {}
    impl GivenOnFileChange for TaskContext {}
    impl<T: Send + Sync + 'static> GivenOnFileChange for State<T> {}
    impl GivenOnFileChange for FileChanges {}

    pub trait GivenOnDeviceChange: FromContext {}
    impl GivenOnDeviceChange for TaskContext {}
    impl<T: Send + Sync + 'static> GivenOnDeviceChange for State<T> {}
    impl GivenOnDeviceChange for DeviceChanges {}

    pub trait GivenForADevice: FromContext {}
    impl GivenForADevice for TaskContext {}
    impl<T: Send + Sync + 'static> GivenForADevice for State<T> {}
    impl GivenForADevice for DeviceDetails {}

    pub trait GivenWhenPushed: FromContext {}
    impl GivenWhenPushed for TaskContext {}
    impl<T: Send + Sync + 'static> GivenWhenPushed for State<T> {}
    impl GivenWhenPushed for RawNotification {}

    pub trait GivenWhenPressed: FromContext {}
    impl GivenWhenPressed for TaskContext {}
    impl<T: Send + Sync + 'static> GivenWhenPressed for State<T> {}
    impl GivenWhenPressed for ToastAction {}

    pub trait GivenWhenConnected: FromContext {}
    impl GivenWhenConnected for TaskContext {}
    impl<T: Send + Sync + 'static> GivenWhenConnected for State<T> {}
    impl GivenWhenConnected for ServiceConnection {}

    pub trait GivenOnSocketActivity: FromContext {}
    impl GivenOnSocketActivity for TaskContext {}
    impl<T: Send + Sync + 'static> GivenOnSocketActivity for State<T> {}
    impl GivenOnSocketActivity for SocketActivity {}

    pub trait GivenAlways: FromContext {}
    impl GivenAlways for TaskContext {}
    impl<T: Send + Sync + 'static> GivenAlways for State<T> {}

    macro_rules! parameters {
        ($($kind:ident: $given:ident),+) => {$(
            impl<P: $given> Parameter<$kind> for P {
                fn extract(context: &TaskContext) -> Result<Self, String> {
                    FromContext::extract(context)
                }

                fn require(requirements: &mut Requirements) {
                    <P as FromContext>::require(requirements);
                }
            }
        )+};
    }

    parameters!(
        Timed: GivenWhenDue,
        Requested: GivenWhenAsked,
        Network: GivenOnNetworkChange,
        Files: GivenOnFileChange,
        Device: GivenOnDeviceChange,
        DeviceUse: GivenForADevice,
        Push: GivenWhenPushed,
        Toast: GivenWhenPressed,
        Service: GivenWhenConnected,
        Socket: GivenOnSocketActivity,
        Plain: GivenAlways
    );
}

impl FromContext for TaskContext {
    fn extract(context: &TaskContext) -> Result<Self, String> {
        Ok(context.clone())
    }
}

impl<T: Send + Sync + 'static> FromContext for State<T> {
    fn extract(context: &TaskContext) -> Result<Self, String> {
        context.state().get().map(State).ok_or_else(|| {
            format!(
                "no state of type `{}` was set in `setup`",
                std::any::type_name::<T>()
            )
        })
    }

    fn require(requirements: &mut Requirements) {
        requirements
            .states
            .push((TypeId::of::<T>(), std::any::type_name::<T>()));
    }
}

/// The arguments of the task `F`. `Args<T>` is no [`Parameter`]: the attribute has to see it, so
/// that `T` is [`TaskType::Args`], and what `T` has to be is said once, there. Not public API.
#[doc(hidden)]
pub fn arguments<F: TaskType>(context: &TaskContext) -> Result<Args<F::Args>, String> {
    parse_arguments(context.details()).map(Args)
}

/// What [`arguments`] needs. Not public API.
#[doc(hidden)]
pub fn require_arguments<F: TaskType>(requirements: &mut Requirements) {
    requirements.arguments = Some(Arguments {
        check: check_arguments::<F::Args>,
        function: (TypeId::of::<F>(), std::any::type_name::<F>()),
    });
}

fn check_arguments<T: DeserializeOwned>(value: &serde_json::Value) -> Result<(), String> {
    T::deserialize(value)
        .map(drop)
        .map_err(|error| error.to_string())
}

fn parse_arguments<T: DeserializeOwned>(details: &Details) -> Result<T, String> {
    let value = details
        .arguments
        .as_ref()
        .unwrap_or(&serde_json::Value::Null);
    T::deserialize(value).map_err(|error| {
        format!(
            "the arguments do not fit `{}`: {error}",
            std::any::type_name::<T>()
        )
    })
}

impl FromContext for ScheduledTime {
    fn extract(context: &TaskContext) -> Result<Self, String> {
        // A run fired by hand has no due time of its own: it is due when it is asked for.
        Ok(Self(
            context
                .details()
                .scheduled
                .unwrap_or_else(|| context.fired_at()),
        ))
    }

    fn require(requirements: &mut Requirements) {
        requirements.details.push(Given::Scheduled);
    }
}

impl FromContext for NetworkDetails {
    fn extract(context: &TaskContext) -> Result<Self, String> {
        Ok(context.details().network.clone().unwrap_or_default())
    }

    fn require(requirements: &mut Requirements) {
        requirements.details.push(Given::Network);
    }
}

impl FromContext for FileChanges {
    fn extract(context: &TaskContext) -> Result<Self, String> {
        // Fired by hand, nobody knows what changed.
        let files = context.details().files.clone();
        Ok(files.unwrap_or_else(Self::unknown))
    }

    fn require(requirements: &mut Requirements) {
        requirements.details.push(Given::Files);
    }
}

impl FromContext for DeviceChanges {
    fn extract(context: &TaskContext) -> Result<Self, String> {
        let device = context.details().device.clone();
        Ok(device.unwrap_or_else(Self::unknown))
    }

    fn require(requirements: &mut Requirements) {
        requirements.details.push(Given::Device);
    }
}

impl FromContext for DeviceDetails {
    fn extract(context: &TaskContext) -> Result<Self, String> {
        let device = context.details().device_use.clone();
        device.ok_or_else(|| "it was not requested for a device".to_owned())
    }

    fn require(requirements: &mut Requirements) {
        requirements.details.push(Given::DeviceUse);
    }
}

impl FromContext for RawNotification {
    fn extract(context: &TaskContext) -> Result<Self, String> {
        // Fired by hand, nothing was pushed.
        let pushed = context.details().push.clone();
        Ok(pushed.unwrap_or_else(|| Self {
            received: context.fired_at(),
            ..Self::default()
        }))
    }

    fn require(requirements: &mut Requirements) {
        requirements.details.push(Given::Push);
    }
}

impl FromContext for ToastAction {
    fn extract(context: &TaskContext) -> Result<Self, String> {
        // Fired by hand, nothing was pressed.
        Ok(context.details().toast.clone().unwrap_or_default())
    }

    fn require(requirements: &mut Requirements) {
        requirements.details.push(Given::Toast);
    }
}

impl FromContext for ServiceConnection {
    fn extract(context: &TaskContext) -> Result<Self, String> {
        let details = context.details().service.clone();
        let details = details.ok_or("nobody is connected: it was fired by hand")?;
        let lines = context.state().get::<ServiceLines>();
        let calls = lines.and_then(|lines| lines.take(details.connection));
        Ok(Self {
            service: details.service,
            calls: calls.ok_or("its caller is not connected any more")?,
        })
    }

    fn require(requirements: &mut Requirements) {
        requirements.details.push(Given::Service);
    }
}

impl FromContext for SocketActivity {
    fn extract(context: &TaskContext) -> Result<Self, String> {
        let details = context.details().socket.clone();
        let activity = details.and_then(|details| Self::new(details, context.hand().clone()));
        activity.ok_or_else(|| "it has no socket".to_owned())
    }

    fn require(requirements: &mut Requirements) {
        requirements.details.push(Given::Socket);
    }
}
