//! Registrations as they are made and kept.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Code, Error, RegistrationId, Result, Standing, Suppression};

/// Where a registration comes from, and so who may change and remove it.
///
/// Windows has no declared ones: there an app registers each task in code, and a new version of it
/// has to remove what it no longer needs
/// ([registering a task](https://learn.microsoft.com/windows/uwp/launch-resume/register-a-background-task)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// From an attribute: each launch makes these equal to what is declared.
    #[default]
    Declared,
    /// Made while the app ran: it stays until the app removes it.
    Built,
}

impl Origin {
    /// `declared` or `built`.
    ///
    /// ```
    /// assert_eq!(bgtask::Origin::Built.word(), "built");
    /// ```
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Built => "built",
        }
    }

    pub(super) fn of_word(word: &str) -> Option<Self> {
        [Self::Declared, Self::Built]
            .into_iter()
            .find(|origin| origin.word() == word)
    }
}

/// What to do when a registration is made and another one has its name.
///
/// On Windows the second one is made beside the first, and both run; an app has to look for the
/// name first
/// ([guidelines](https://learn.microsoft.com/windows/uwp/launch-resume/guidelines-for-background-tasks)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnDuplicate {
    /// The one that is there stays as it is.
    Keep,
    /// The new one takes its place, in one step: at no time there are both, or none. What waits goes
    /// on under the new one.
    #[default]
    Replace,
    /// Both stay, with one name; each is known by its id.
    Allow,
    /// The new one is refused: [`Code::DuplicateName`].
    Error,
}

/// A registration to be made.
#[derive(Clone, Debug)]
pub(crate) struct NewRegistration {
    pub(crate) name: String,
    /// The declared task whose body runs.
    pub(crate) entry: String,
    pub(crate) origin: Origin,
    pub(crate) group: Option<String>,
    /// Its trigger's word.
    pub(crate) kind: String,
    /// The manifest entry's JSON text.
    pub(crate) declaration: String,
    /// Empty: nobody knows what is declared, and one that is kept stays as it is.
    pub(crate) fingerprint: String,
    /// The first due time, used when the registration is new or replaced.
    pub(crate) due: Option<Timestamp>,
}

impl NewRegistration {
    /// The record of it under a new id.
    pub(super) fn record(&self, stance: &Stance, now: Timestamp) -> RegistrationRecord {
        let new = self.clone();
        RegistrationRecord {
            id: RegistrationId::now(),
            name: new.name,
            entry: new.entry,
            origin: new.origin,
            group: new.group,
            kind: new.kind,
            declaration: new.declaration,
            fingerprint: new.fingerprint,
            due: new.due.map(kept),
            generation: 0,
            created: kept(now),
            last_fired: None,
            last_run: None,
            last_throttled: None,
            ended: None,
            standing: stance.standing().clone(),
            chosen: stance.chosen.clone(),
            suppressed: 0,
            last_suppression: None,
        }
    }
}

/// A time as it is kept, to the microsecond: what is told when it is written is what is read later.
fn kept(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

/// How many registrations of a kind there may be.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    /// A trigger's word.
    pub(crate) kind: String,
    pub(crate) most: u32,
}

/// What became of a registration to be made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Registering {
    /// It is new; these tombstones made room for it.
    Added {
        record: RegistrationRecord,
        tombstones: Vec<RegistrationId>,
    },
    /// It took the place of another one.
    Replaced {
        record: RegistrationRecord,
        old: RegistrationId,
    },
    /// The one that was there stays.
    Kept(RegistrationRecord),
}

/// A registration as kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationRecord {
    /// Identity.
    pub id: RegistrationId,
    /// Its name; that of its task, if it is declared.
    pub name: String,
    /// The declared task whose body runs.
    pub entry: String,
    /// Who made it.
    pub origin: Origin,
    /// Its registration group (`registration_group = "lib"`).
    pub group: Option<String>,
    /// Its trigger's word, `time` of `time(15)`.
    pub kind: String,
    /// The declaration, as the manifest's JSON text.
    pub declaration: String,
    /// Changes when name, trigger, condition, host or options change.
    pub fingerprint: String,
    /// The next due time, for time kinds.
    pub due: Option<Timestamp>,
    /// Grows each time the due time moves.
    pub generation: u64,
    /// When it was made.
    pub created: Timestamp,
    /// When it last fired by its due time.
    pub last_fired: Option<Timestamp>,
    /// When the last run that has ended was started.
    pub last_run: Option<Timestamp>,
    /// When a fire was last held because the energy budget was used up (Windows:
    /// [`LastThrottledInStandbyTimestamp`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.backgroundtaskregistration.lastthrottledinstandbytimestamp)).
    pub last_throttled: Option<Timestamp>,
    /// When a one-shot ended.
    pub ended: Option<Timestamp>,
    /// Whether it may fire and start.
    pub standing: Standing,
    /// What the user chose for it, also while quarantine hides that.
    #[serde(skip)]
    pub(crate) chosen: Standing,
    /// How many fires did not become a run.
    pub suppressed: u64,
    /// The last of them, when, and why.
    pub last_suppression: Option<(Timestamp, Suppression)>,
}

/// What a launch changed of the kept registrations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncDiff {
    /// New registrations.
    pub added: Vec<String>,
    /// Replaced because the declaration changed.
    pub replaced: Vec<String>,
    /// Removed because the declaration is gone.
    pub removed: Vec<String>,
    /// Kept, with id and due time.
    pub unchanged: Vec<String>,
    /// Not registered, because a registration that the app made has the name.
    #[serde(default)]
    pub refused: Vec<String>,
}

/// A fire that made no activation.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) registration: RegistrationId,
    pub(crate) at: Timestamp,
    pub(crate) why: Suppression,
}

/// What the user chose for a registration, and what hides it.
#[derive(Clone, Debug, Default)]
pub(super) struct Stance {
    pub(super) chosen: Standing,
    pub(super) quarantine: Option<Standing>,
}

impl Stance {
    /// Takes what is now to hold. What holds already keeps its time.
    pub(super) fn take(&mut self, new: Standing) {
        let place = match new {
            Standing::Quarantined { .. } => self.quarantine.get_or_insert(new.clone()),
            _ => &mut self.chosen,
        };
        *place = match (&*place, new) {
            (Standing::Paused { since }, Standing::Paused { .. }) => {
                Standing::Paused { since: *since }
            }
            (Standing::Disabled { since }, Standing::Disabled { .. }) => {
                Standing::Disabled { since: *since }
            }
            (Standing::Quarantined { since, .. }, Standing::Quarantined { reason, .. }) => {
                Standing::Quarantined {
                    since: *since,
                    reason,
                }
            }
            (_, new) => new,
        };
    }

    /// What holds.
    pub(super) fn standing(&self) -> &Standing {
        self.quarantine.as_ref().unwrap_or(&self.chosen)
    }
}

/// Refuses two registrations of one name, which could not be told apart.
pub(super) fn refuse_duplicates(declared: &[NewRegistration]) -> Result<()> {
    let mut names = std::collections::HashSet::new();
    match declared.iter().find(|new| !names.insert(&new.name)) {
        None => Ok(()),
        Some(new) => Err(
            Error::new(Code::DuplicateName, "two declarations have the same name")
                .task(&new.name)
                .remedy("give one of them another `name`"),
        ),
    }
}
