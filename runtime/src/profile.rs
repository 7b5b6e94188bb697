//! How closely an app keeps to the letter of Windows' rules.

use bgtask_model::Trigger;

/// How closely an app keeps to the letter of Windows' rules; set with
/// [`AppBuilder::profile`](crate::AppBuilder::profile).
///
/// | | default | Windows |
/// |---|---|---|
/// | declared tasks | registered at launch | by [`App::register_declared`](crate::App::register_declared), after access was requested |
/// | `application` | any number in an app | one in an app ([`ApplicationTrigger`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.applicationtrigger)) |
/// | `media_processing`, `device_use` | one in an app | one in an app ([`MediaProcessingTrigger`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.mediaprocessingtrigger)) |
/// | a request out of a task, or while the app is in the background | accepted | refused: a foreground app requests |
/// | `startup` in the app's own process | runs | refused ([`HostModelUnsupported`](crate::Code::HostModelUnsupported)) |
///
/// ```
/// use bgtask::{AppBuilder, Profile};
///
/// fn setup(app: AppBuilder) -> Result<AppBuilder, std::convert::Infallible> {
///     Ok(app.profile(Profile::windows()))
/// }
/// # let _ = setup(AppBuilder::new("demo"));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// What is practical.
    #[default]
    Default,
    /// The letter of Microsoft's documentation, for programs that come from there and for tests of
    /// programs that go there.
    Windows,
}

impl Profile {
    /// [`Profile::Windows`].
    #[must_use]
    pub const fn windows() -> Self {
        Self::Windows
    }

    /// How many registrations of a trigger's kind an app may have at a time; `None` is any number.
    pub(crate) const fn most(self, trigger: &Trigger) -> Option<u32> {
        match (trigger, self) {
            (Trigger::MediaProcessing | Trigger::DeviceUse, _)
            | (Trigger::Application, Self::Windows) => Some(1),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_windows_allows_once_is_allowed_once() {
        // https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.applicationtrigger
        // https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.mediaprocessingtrigger
        // https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.deviceusetrigger
        let profiles = [Profile::default(), Profile::windows()];
        for (trigger, most) in [
            (Trigger::Application, [None, Some(1)]),
            (Trigger::MediaProcessing, [Some(1); 2]),
            (Trigger::DeviceUse, [Some(1); 2]),
            (Trigger::Startup, [None; 2]),
        ] {
            let found = profiles.map(|profile| profile.most(&trigger));
            assert_eq!(found, most, "{trigger}");
        }
    }
}
