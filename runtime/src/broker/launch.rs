//! At a launch: registrations are made equal to what is declared, and what is kept comes back.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use bgtask_model::{Declaration, FieldValue, Predicate, Trigger, grammar};
use jiff::Timestamp;

use super::{
    Broker,
    draft::NETWORK_REQUESTED,
    registrations::{Live, too_many},
};
use crate::{
    Error, EventKind, Origin, Profile, RegistrationId, RegistrationRecord, Result, Standing,
    manifest::Entry,
    registry::{Registry, Task},
    scheduler::{Input, Registered},
    store::{NewRegistration, Store},
};

/// How a kept registration comes back.
pub(super) enum Kept {
    /// Under this declaration.
    Readable(Arc<Declaration>),
    /// Not here: this is what keeps it.
    Refused(Arc<Declaration>, Error),
    /// It cannot come back until what is missing is there again.
    Missing(Option<Arc<Declaration>>, String),
}

/// The registrations that are kept, how each comes back, and which have another standing for it.
type Back = (
    Vec<RegistrationRecord>,
    HashMap<RegistrationId, Kept>,
    HashSet<RegistrationId>,
);

impl Broker {
    /// At start: registers what is declared, if the app's rules leave that to the launch, and takes
    /// over what is kept.
    pub(super) async fn register(&mut self, strict: bool) -> Result<()> {
        let asked = Asked::by(&self.registry, &*self.store).await?;
        if asked.metering {
            self.demand.learn_metering().await;
        }
        if asked.toasts {
            self.toasts.learn().await;
        }
        if asked.network {
            self.inhibitor.learn().await;
        }
        if self.profile == Profile::Windows {
            self.refuse_declared(strict)?;
        } else {
            let now = self.now();
            let declared = self.declared(strict, now)?;
            (self.diff, _) = self.store.sync_registrations(declared, now).await?;
        }
        let unlinked = self.refused.keys().cloned();
        self.diff.refused.extend(unlinked);
        tracing::info!(diff = ?self.diff, "registrations");
        for name in self.diff.removed.clone() {
            self.emit(&name, EventKind::Unregistered);
        }
        let (records, mut found, turned) = self.quarantine().await?;
        let kept: HashSet<String> = self.diff.unchanged.iter().cloned().collect();
        for record in records {
            let there_before = record.origin == Origin::Built || kept.contains(&record.name);
            let found = match found.remove(&record.id) {
                Some(found) => found,
                None => self.kept(&record),
            };
            if turned.contains(&record.id) {
                let standing = record.standing.clone();
                let at = self.now();
                self.log(&record.name, at, EventKind::Stands { standing });
            }
            self.take(record, found, there_before, None);
        }
        Ok(())
    }

    /// What is declared and to be registered, with its first due time. What cannot be honoured is
    /// noted as refused.
    pub(super) fn declared(
        &mut self,
        strict: bool,
        now: Timestamp,
    ) -> Result<Vec<NewRegistration>> {
        let too_many = self.refuse_declared(strict)?;
        let registry = Arc::clone(&self.registry);
        let to_register = registry.tasks().filter(|task| {
            task.declaration.options.register && !too_many.contains(&task.declaration.name)
        });
        let new = to_register.map(|task| {
            let refused = self.refused.contains_key(&task.declaration.name);
            let due = self.scheduler.due_from(&task.declaration, now);
            let mut new = registration(task, due.ok().flatten().filter(|_| !refused));
            if self.overridden.refused.contains_key(&new.name) {
                // What the user means by it will be known when it is corrected.
                new.fingerprint.clear();
            }
            new
        });
        Ok(new.collect())
    }

    /// Notes what is declared and cannot be honoured; with `strict` the first is the error. The
    /// names are those of tasks that are too many of their kind.
    fn refuse_declared(&mut self, strict: bool) -> Result<HashSet<String>> {
        let registry = Arc::clone(&self.registry);
        let mut excess = HashSet::new();
        let mut counted = HashMap::<&str, u32>::new();
        for live in self
            .live
            .values()
            .filter(|live| live.origin == Origin::Built)
        {
            *counted.entry(live.declaration.trigger.word()).or_default() += 1;
        }
        self.refused.clear();
        for task in registry.tasks() {
            let declaration = &task.declaration;
            if !declaration.options.register {
                continue;
            }
            let name = &declaration.name;
            let count = counted.entry(declaration.trigger.word()).or_default();
            *count += 1;
            let most = self.profile.most(&declaration.trigger);
            let mut errors = match self.overridden.refused.get(name) {
                Some(error) => vec![error.again()],
                None => self.judge().declaration(declaration),
            };
            errors.extend(self.scheduler.due_from(declaration, self.now()).err());
            if most.is_some_and(|most| *count > most) {
                errors.push(too_many(name, &declaration.trigger));
                excess.insert(name.clone());
            }
            if errors.is_empty() {
                continue;
            }
            let error = errors.remove(0);
            if strict {
                return Err(error);
            }
            tracing::warn!(task = name, %error, "refused");
            self.refused.insert(name.clone(), error.to_string());
        }
        Ok(excess)
    }

    /// Puts what names nothing that is linked into quarantine, and takes out what does again: these
    /// were not so before.
    async fn quarantine(&mut self) -> Result<Back> {
        let since = self.now();
        let mut turned = HashSet::new();
        let mut lifted = Vec::new();
        let mut found = HashMap::new();
        let mut records = self.store.registrations().await?;
        let mut is_other = false;
        for record in &records {
            let is_quarantined = matches!(record.standing, Standing::Quarantined { .. });
            let back = self.kept(record);
            match &back {
                Kept::Missing(_, reason) => {
                    tracing::warn!(registration = record.name, reason, "quarantined");
                    let reason = reason.clone();
                    let standing = Standing::Quarantined { since, reason };
                    self.store.stand(record.id, standing).await?;
                    is_other = true;
                    if !is_quarantined {
                        turned.insert(record.id);
                    }
                }
                _ if is_quarantined => lifted.push(record.id),
                _ => {}
            }
            found.insert(record.id, back);
        }
        turned.extend(&lifted);
        if !lifted.is_empty() {
            self.store.lift(lifted).await?;
            is_other = true;
        }
        if is_other {
            records = self.store.registrations().await?;
        }
        Ok((records, found, turned))
    }

    /// How a kept registration comes back.
    pub(super) fn kept(&self, record: &RegistrationRecord) -> Kept {
        let declared = record.origin == Origin::Declared && self.profile != Profile::Windows;
        if declared && let Some(task) = self.registry.get(&record.name) {
            return Kept::Readable(Arc::clone(&task.declaration));
        }
        let declaration = match Entry::from_json(record.declaration.as_bytes()) {
            Ok(entry) => entry.declaration,
            Err(error) => {
                let reason = format!("its declaration cannot be read: {}", error.rule());
                return Kept::Missing(stand_in(&record.name), reason);
            }
        };
        let Some(task) = self.registry.get(&record.entry) else {
            let reason = format!(
                "its entry point `{}` is not linked into this program",
                record.entry
            );
            return Kept::Missing(Some(Arc::new(declaration)), reason);
        };
        let stated = declaration.fields().into_iter();
        let stated = stated.map(|(word, value)| (word.to_owned(), value));
        match task.declared_as(&record.name, stated) {
            Err(errors) => Kept::Refused(Arc::new(declaration), Error::all(errors)),
            Ok(declaration) => match self.judge().declaration(&declaration) {
                errors if errors.is_empty() => Kept::Readable(Arc::new(declaration)),
                errors => Kept::Refused(Arc::new(declaration), Error::all(errors)),
            },
        }
    }

    /// Takes a registration into account, in the place of another one if it replaces it.
    pub(super) fn take(
        &mut self,
        record: RegistrationRecord,
        found: Kept,
        kept: bool,
        replaces: Option<RegistrationId>,
    ) {
        let declared = record.origin == Origin::Declared;
        let of_declared = declared.then(|| self.refused.get(&record.name).cloned());
        let mut refused = of_declared.flatten();
        let mut unreadable = false;
        let declaration = match found {
            Kept::Readable(declaration) => declaration,
            Kept::Refused(declaration, error) => {
                refused.get_or_insert_with(|| error.to_string());
                declaration
            }
            Kept::Missing(Some(declaration), _) => {
                unreadable = Entry::from_json(record.declaration.as_bytes()).is_err();
                declaration
            }
            Kept::Missing(None, _) => return,
        };
        for condition in self.registry.conditions_of(&declaration) {
            // The monitors end after the broker.
            let _ = self.conditions.send((condition.name, condition.watch));
        }
        if refused.is_none() && record.ended.is_none() {
            self.demand.need(&declaration);
            self.energy.watch.need_supply();
        }
        if let Some(old) = replaces {
            self.forget(old);
        }
        self.by_name
            .entry(record.name.clone())
            .or_default()
            .push(record.id);
        let kind = match (&refused, &record.standing) {
            (Some(error), _) => Some(EventKind::Refused {
                error: error.clone(),
            }),
            (None, standing @ Standing::Quarantined { .. }) => Some(EventKind::Stands {
                standing: standing.clone(),
            }),
            (None, _) if record.ended.is_some() => None,
            (None, _) => Some(EventKind::Registered {
                due: record.due,
                kept,
            }),
        };
        // A launch does not log what was there before.
        match kind {
            Some(kind) if kept => self.tell(&record.name, kind),
            Some(kind) => self.emit(&record.name, kind),
            None => {}
        }
        let live = Live {
            name: record.name,
            entry: record.entry,
            group: record.group,
            origin: record.origin,
            declaration: Arc::clone(&declaration),
            standing: record.standing.clone(),
            chosen: record.chosen,
            accepts: refused.is_none() && record.ended.is_none(),
            refused: refused.is_some(),
            unreadable,
        };
        let of_old = |active: &&mut super::Active| Some(active.record.registration) == replaces;
        for active in self.active.values_mut().filter(of_old) {
            active.record.registration = record.id;
            active.record.foreign = true;
            // What runs goes on as it began, and is tried again as the new one says.
            if active.running.is_none() {
                active.runs_as(&live);
            }
        }
        self.live.insert(record.id, live);
        self.inbox.push_back(Input::Register(Box::new(Registered {
            id: record.id,
            declaration,
            due: record.due,
            fired: record.last_fired,
            generation: record.generation,
            last_suppression: record.last_suppression,
            ended: record.ended,
            standing: record.standing,
            replaces,
            refused,
        })));
    }
}

/// What has to be asked of the system before a registration is judged.
struct Asked {
    metering: bool,
    /// The network kept up.
    network: bool,
    toasts: bool,
}

impl Asked {
    /// By the tasks that are declared here, and the registrations that are kept.
    async fn by(registry: &Registry, store: &dyn Store) -> Result<Self> {
        let metering = |declaration: &Declaration| {
            let condition = declaration.condition.iter();
            let mut facts = condition.flat_map(bgtask_model::Condition::predicates);
            facts.any(|fact| *fact == Predicate::Unmetered)
        };
        let toasts = |declaration: &Declaration| declaration.trigger == Trigger::ToastAction;
        let mut asked = Self {
            metering: registry.tasks().any(|task| metering(&task.declaration)),
            network: registry.tasks().any(Task::keeps_network),
            toasts: registry.tasks().any(|task| toasts(&task.declaration)),
        };
        if !asked.metering || !asked.network || !asked.toasts {
            let kept = store.registrations().await?;
            // They are written so; an answer that is not needed does no harm.
            let word = Predicate::Unmetered.to_string();
            asked.metering |= kept.iter().any(|kept| kept.declaration.contains(&word));
            let word = NETWORK_REQUESTED;
            asked.network |= kept.iter().any(|kept| kept.declaration.contains(word));
            let kind = Trigger::ToastAction.word();
            asked.toasts |= kept.iter().any(|kept| kept.kind == kind);
        }
        Ok(asked)
    }
}

fn registration(task: &Task, due: Option<Timestamp>) -> NewRegistration {
    NewRegistration {
        name: task.declaration.name.clone(),
        entry: task.declaration.name.clone(),
        origin: Origin::Declared,
        group: task.declaration.options.registration_group.clone(),
        kind: task.declaration.trigger.word().to_owned(),
        declaration: task.entry.to_json(),
        fingerprint: task.declaration.fingerprint_text(),
        due,
    }
}

/// Stands for a declaration that cannot be read: nothing starts it.
fn stand_in(name: &str) -> Option<Arc<Declaration>> {
    let identity = grammar::Identity {
        default_name: name.to_owned(),
        function: String::new(),
        description: None,
    };
    let never = [("trigger".to_owned(), FieldValue::from("custom(\"?\")"))];
    let declaration = Declaration::from_fields(identity, never.into_iter());
    declaration.ok().map(Arc::new)
}
