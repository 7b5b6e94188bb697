//! What is registered, and changes while the app runs.

use std::{collections::HashSet, sync::Arc, time::Duration};

use bgtask_model::{Declaration, Trigger};
use futures_util::FutureExt;
use tokio::sync::oneshot;
use uuid::fmt::Hyphenated;

use super::{
    Broker,
    draft::{Draft, Judge},
    launch::Kept,
};
use crate::{
    AccessStatus, CancelReason, Code, Error, EventKind, Origin, Profile, RegistrationId,
    RegistrationRecord, Result, Standing, Suppression, SyncDiff,
    capability::Here,
    clock::within,
    ipc::control::Order,
    monitor::{Services, has_source, tells_pressure},
    scheduler::Input,
    store::{Limit, NewRegistration, Registering},
};

/// How long an answer waits for what is registered to be watched.
const UNTIL_WATCHED: Duration = Duration::from_secs(2);

/// A registration.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) name: String,
    /// The declared task whose body runs.
    pub(super) entry: String,
    pub(super) group: Option<String>,
    pub(super) origin: Origin,
    pub(super) declaration: Arc<Declaration>,
    pub(super) standing: Standing,
    /// What the user chose, also while quarantine hides it.
    pub(super) chosen: Standing,
    /// It takes activations: it was not refused, and had not ended when it was taken over.
    pub(super) accepts: bool,
    /// It was refused, and starts nothing.
    pub(super) refused: bool,
    /// The declaration is a stand-in for one that could not be read.
    pub(super) unreadable: bool,
}

/// A change of the registrations, and who waits for it.
#[derive(Debug)]
pub(crate) enum RegistrationChange {
    Register {
        draft: Box<Draft>,
        reply: oneshot::Sender<Result<RegistrationRecord, Vec<Error>>>,
    },
    Unregister {
        ids: Vec<RegistrationId>,
        cancel: bool,
        reply: oneshot::Sender<Result<()>>,
    },
    Stand {
        id: RegistrationId,
        order: Order,
        reply: oneshot::Sender<Result<RegistrationRecord>>,
    },
    /// They are made equal to what is declared.
    Sync {
        reply: oneshot::Sender<Result<SyncDiff>>,
    },
}

impl RegistrationChange {
    /// Tells who waits for it that it is not made.
    pub(super) fn refuse(self, error: &Error) {
        let error = error.again();
        match self {
            Self::Register { reply, .. } => drop(reply.send(Err(vec![error]))),
            Self::Unregister { reply, .. } => drop(reply.send(Err(error))),
            Self::Stand { reply, .. } => drop(reply.send(Err(error))),
            Self::Sync { reply } => drop(reply.send(Err(error))),
        }
    }
}

impl Broker {
    /// Under Windows' rules access has to be requested first.
    fn check_access(&self) -> Result<()> {
        let unasked = self.access.status() == AccessStatus::Unspecified;
        if self.profile != Profile::Windows || !unasked {
            return Ok(());
        }
        Err(Error::new(
            Code::AccessNotRequested,
            "nothing is registered before access was requested",
        )
        .remedy("call `app.request_access(kind, reason)` first, also after an update"))
    }

    pub(super) fn judge(&self) -> Judge<'_> {
        Judge {
            registry: &self.registry,
            here: Here {
                hosts: self.hosts,
                system_bus: self.demand.has_system_bus(),
                metering: self.demand.may_know_metering()
                    || *self.access.unknown_metering().borrow(),
                pressure: tells_pressure(),
                toasts: self.toasts.known(),
                services: Services::default(),
            },
            profile: self.profile,
            inhibitor: &self.inhibitor,
        }
    }

    /// Writes the changes that were asked for, in order. Each that fails is told to who asked, and
    /// is not tried again.
    pub(super) async fn write_changes(&mut self, changes: Vec<RegistrationChange>) {
        for change in changes {
            match change {
                RegistrationChange::Register { draft, reply } => {
                    let made = self.make(*draft).await;
                    self.reply_when_watched(reply, made);
                }
                RegistrationChange::Unregister { ids, cancel, reply } => {
                    let removed = self.unregister(ids, cancel).await;
                    self.reply_when_watched(reply, removed);
                }
                RegistrationChange::Stand { id, order, reply } => {
                    let stood = self.stand(id, order).await;
                    self.reply_when_watched(reply, stood);
                }
                RegistrationChange::Sync { reply } => {
                    let synced = self.sync().await;
                    self.reply_when_watched(reply, synced);
                }
            }
        }
        self.watch_sockets();
    }

    /// Answers once what the registrations wait for is listened to, so that who was answered may
    /// rely on it. A large folder is not waited for.
    fn reply_when_watched<T: Send + 'static>(&self, reply: oneshot::Sender<T>, answer: T) {
        let mut watched = Box::pin(self.watch_sources());
        if (&mut watched).now_or_never().is_some() {
            return drop(reply.send(answer));
        }
        tokio::spawn(async move {
            watched.await;
            drop(reply.send(answer));
        });
    }

    /// Has the sources listen that registrations wait for now, others end. What is paused goes on:
    /// its fires are kept. Returns when they listen, soon in any case.
    pub(super) fn watch_sources(&self) -> impl Future<Output = ()> + Send + use<> {
        let wanted = self.wanted_sources();
        let (clock, listening) = (Arc::clone(&self.clock), self.sources.want(wanted));
        async move {
            within(&*clock, UNTIL_WATCHED, listening).await;
        }
    }

    /// The triggers with sources that registrations wait for now. What comes to the address of sockets
    /// waits there while access is denied.
    pub(super) fn wanted_sources(&self) -> HashSet<Trigger> {
        if self.phase != super::Phase::Open {
            return HashSet::new();
        }
        let is_allowed = self.access.status().is_allowed();
        let fires = |(id, live): &(&RegistrationId, &Live)| {
            let is_off = matches!(
                live.standing,
                Standing::Disabled { .. } | Standing::Quarantined { .. }
            );
            let has_source = has_source(&live.declaration.trigger);
            let waits = !is_allowed && matches!(live.declaration.trigger, Trigger::Socket { .. });
            has_source && live.accepts && !is_off && !waits && !self.scheduler.has_ended(**id)
        };
        let wanted = self.live.iter().filter(fires);
        wanted
            .map(|(_, live)| live.declaration.trigger.clone())
            .collect()
    }

    /// All that is wrong with a draft; nothing is written.
    pub(super) fn validate(&self, draft: &Draft) -> Vec<Error> {
        let mut errors = match self.judge().draft(draft) {
            Ok(entry) => match self.scheduler.due_from(&entry.declaration, self.now()) {
                Ok(_) => self.over_limit(draft, &entry.declaration.trigger),
                Err(error) => vec![error],
            },
            Err(errors) => errors,
        };
        errors.extend(self.check_access().err());
        let of_name = self.by_name.get(&draft.name).into_iter().flatten();
        let declared = of_name
            .filter_map(|id| self.live.get(id))
            .any(|live| live.origin == Origin::Declared);
        if declared {
            errors.push(
                Error::new(Code::DuplicateName, "a declared task has this name")
                    .task(&draft.name)
                    .remedy("use another name, or write `register = false` in the attribute"),
            );
        }
        errors
    }

    /// What the store would say, too.
    fn over_limit(&self, draft: &Draft, trigger: &Trigger) -> Vec<Error> {
        let others = self.live.iter().filter(|(id, live)| {
            live.accepts
                && !self.scheduler.has_ended(**id)
                && live.name != draft.name
                && live.declaration.trigger.word() == trigger.word()
        });
        match self.profile.most(trigger) {
            Some(most) if others.count() >= most as usize => vec![too_many(&draft.name, trigger)],
            _ => Vec::new(),
        }
    }

    async fn make(&mut self, draft: Draft) -> Result<RegistrationRecord, Vec<Error>> {
        let now = self.now();
        let entry = self.judge().draft(&draft)?;
        self.check_access().map_err(|error| vec![error])?;
        let declaration = &entry.declaration;
        let due = self.scheduler.due_from(declaration, now);
        let due = due.map_err(|error| vec![error])?;
        let kind = declaration.trigger.word().to_owned();
        let limit = self.profile.most(&declaration.trigger).map(|most| Limit {
            kind: kind.clone(),
            most,
        });
        let new = NewRegistration {
            name: draft.name,
            // The judge knows that there is one.
            entry: draft.entry.unwrap_or_default(),
            origin: Origin::Built,
            group: declaration.options.registration_group.clone(),
            kind,
            declaration: entry.to_json(),
            fingerprint: declaration.fingerprint_text(),
            due,
        };
        let declaration = Arc::new(entry.declaration);
        let made = self
            .store
            .register(new, draft.on_duplicate, limit, now)
            .await;
        let (record, replaces) = match made.map_err(|error| vec![error])? {
            Registering::Kept(record) => return Ok(record),
            Registering::Added { record, tombstones } => {
                for id in tombstones {
                    self.removed(id, false);
                }
                (record, None)
            }
            Registering::Replaced { record, old } => (record, Some(old)),
        };
        self.take(record.clone(), Kept::Readable(declaration), false, replaces);
        Ok(record)
    }

    async fn unregister(&mut self, ids: Vec<RegistrationId>, cancel: bool) -> Result<()> {
        let now = self.now();
        let removed = self.store.unregister(ids.clone(), now).await?;
        for (id, removed) in ids.into_iter().zip(removed) {
            // A tombstone may have been pruned from the store.
            if removed || self.live.contains_key(&id) {
                self.removed(id, cancel);
            }
        }
        Ok(())
    }

    /// A registration is gone from the store, and with it what waited.
    fn removed(&mut self, id: RegistrationId, cancel: bool) {
        let of_it = |active: &&super::Active| active.record.registration == id;
        let active = self.active.values().filter(of_it);
        let (runs, waits): (Vec<_>, Vec<_>) = active.partition(|active| active.running.is_some());
        let ids = |of: Vec<&super::Active>| of.iter().map(|one| one.record.id).collect::<Vec<_>>();
        let (runs, waits) = (ids(runs), ids(waits));
        let at = self.now();
        for activation in waits {
            self.suppressed(activation, at, Suppression::Removed);
        }
        // What could not be written yet would be tried again for nobody.
        for finish in &mut self.batch.finishes {
            if runs.contains(&finish.activation) {
                finish.retry_at = None;
            }
        }
        self.inbox.push_back(Input::Unregister(id));
        for activation in runs.into_iter().filter(|_| cancel) {
            let reason = CancelReason::Abort;
            self.inbox
                .push_back(Input::CancelRequested { activation, reason });
        }
        self.forget(id);
    }

    pub(super) fn forget(&mut self, id: RegistrationId) {
        let Some(live) = self.live.remove(&id) else {
            return;
        };
        if live.accepts {
            self.demand.release(&live.declaration);
        }
        if let Some(of_name) = self.by_name.get_mut(&live.name) {
            of_name.retain(|other| *other != id);
            if of_name.is_empty() {
                self.by_name.remove(&live.name);
            }
        }
        self.emit(&live.name, EventKind::Unregistered);
    }

    async fn stand(&mut self, id: RegistrationId, order: Order) -> Result<RegistrationRecord> {
        let now = self.now();
        let before = self.live.get(&id).map(|live| live.chosen.clone());
        let standing = order.of(&before.unwrap_or_default(), now);
        let standing = standing.map_err(|error| match self.live.get(&id) {
            Some(live) => error.task(&live.name),
            None => error,
        })?;
        let record = self.store.stand(id, standing).await?.ok_or_else(|| {
            Error::new(Code::UnknownTask, "it has ended, or is not registered")
                .remedy("`bgtask list` shows what is")
        })?;
        let Some(live) = self.live.get_mut(&id) else {
            return Ok(record);
        };
        live.chosen = record.chosen.clone();
        if live.standing != record.standing {
            live.standing = record.standing.clone();
            let (name, standing) = (live.name.clone(), record.standing.clone());
            self.inbox.push_back(Input::Standing {
                registration: id,
                standing: standing.clone(),
            });
            self.emit(&name, EventKind::Stands { standing });
        }
        Ok(record)
    }

    /// Makes the registrations equal to what is declared, while the app runs.
    async fn sync(&mut self) -> Result<SyncDiff> {
        self.check_access()?;
        let before: HashSet<RegistrationId> = self.live.keys().copied().collect();
        let by_name = self.by_name.clone();
        let now = self.now();
        let declared = self.declared(false, now)?;
        let (mut diff, records) = self.store.sync_registrations(declared, now).await?;
        diff.refused.extend(self.refused.keys().cloned());
        let there: HashSet<RegistrationId> = records.iter().map(|record| record.id).collect();
        for record in records {
            if before.contains(&record.id) {
                continue;
            }
            let of_name = by_name.get(&record.name).into_iter().flatten();
            let replaces = of_name.copied().find(|id| !there.contains(id));
            let found = self.kept(&record);
            self.take(record, found, false, replaces);
        }
        for id in before.difference(&there).copied().collect::<Vec<_>>() {
            if self.live.contains_key(&id) {
                self.removed(id, false);
            }
        }
        self.diff = diff.clone();
        Ok(diff)
    }

    /// The registration that a name means, or an id, or the beginning of one.
    pub(super) fn resolve(&self, text: &str) -> Result<RegistrationId> {
        let several = |ids: &[RegistrationId]| {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            Error::new(
                Code::Ambiguous,
                format!("{} registrations are meant by `{text}`", ids.len()),
            )
            .remedy(format!("say which by its id: {}", ids.join(", ")))
        };
        let of_name = self.by_name.get(text).map_or(&[][..], Vec::as_slice);
        // What has ended is meant only where nothing else is.
        let not_ended = of_name.iter().filter(|id| !self.scheduler.has_ended(**id));
        match (&not_ended.copied().collect::<Vec<_>>()[..], of_name) {
            ([only], _) | ([], [only]) => return Ok(*only),
            ([], []) => {}
            ([], ids) | (ids, _) => return Err(several(ids)),
        }
        let like_an_id = (8..=Hyphenated::LENGTH).contains(&text.len());
        let id = text.to_lowercase();
        let begins = |known: &&RegistrationId| like_an_id && known.to_string().starts_with(&id);
        let found: Vec<RegistrationId> = self.live.keys().filter(begins).copied().collect();
        match &found[..] {
            [only] => Ok(*only),
            [] => {
                if self.registry.get(text).is_some() {
                    return Err(self.unregistered(text));
                }
                let rule = "no task or registration of that name is known to this program";
                let known = self.by_name.keys().map(String::as_str);
                Err(Error::new(Code::UnknownTask, rule)
                    .task(text)
                    .remedy(self.registry.offer(text, known)))
            }
            _ => Err(several(&found)),
        }
    }

    pub(super) fn unregistered(&self, task: &str) -> Error {
        match self.refused.get(task) {
            Some(error) => refused(task, error),
            None => Error::new(Code::UnknownTask, "it is declared and not registered")
                .task(task)
                .remedy(
                    "it was unregistered, is a one-shot that has run, or says `register = false`; \
                     register it with `app.registration(…)`, or start the app again",
                ),
        }
    }

    /// Why a registration takes no activation, if it does not.
    pub(super) fn not_accepting(&self, id: RegistrationId) -> Option<Error> {
        let live = self.live.get(&id)?;
        if let Standing::Quarantined { reason, .. } = &live.standing {
            let rule = format!("it is in quarantine: {reason}");
            return Some(Error::new(Code::Unsupported, rule).task(&live.name));
        }
        if live.accepts {
            return None;
        }
        let explained = self.scheduler.explain(id, self.now());
        match explained.and_then(|explained| explained.refused) {
            Some(error) => Some(refused(&live.name, &error)),
            None => Some(self.unregistered(&live.name)),
        }
    }
}

fn refused(task: &str, error: &str) -> Error {
    let (rule, remedy) = Error::parts(error);
    let rule = format!("its declaration was refused: {rule}");
    let refused = Error::new(Code::Unsupported, rule).task(task);
    match remedy {
        Some(remedy) => refused.remedy(remedy),
        None => refused,
    }
}

pub(super) fn too_many(name: &str, trigger: &Trigger) -> Error {
    let word = trigger.word();
    Error::new(
        Code::TriggerLimitExceeded,
        format!("the app has as many registrations with `{word}` as it may have"),
    )
    .task(name)
    .remedy("unregister the other one, or take its name to replace it")
}
