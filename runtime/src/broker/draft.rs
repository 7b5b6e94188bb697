//! A registration as it is asked for, and all that is wrong with it.

use bgtask_model::{Declaration, FieldValue, Host, Trigger, grammar};

use crate::{
    Code, Error, OnDuplicate, Profile, Result,
    capability::{self, Here},
    inhibitor::Inhibitor,
    manifest::Entry,
    registry::{Registry, Task},
};

/// What the builder of a registration was told.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) name: String,
    /// The task whose body runs.
    pub(crate) entry: Option<String>,
    /// Arguments as the attribute has them, and their values.
    pub(crate) stated: Vec<(String, FieldValue)>,
    pub(crate) on_duplicate: OnDuplicate,
}

/// The argument that asks for the network to be kept up.
pub(super) const NETWORK_REQUESTED: &str = "network_requested";

impl Draft {
    /// Whether it may ask for the network to be kept up.
    pub(super) fn may_keep_network(&self, registry: &Registry) -> bool {
        let mut stated = self.stated.iter();
        let entry = self.entry.as_deref().and_then(|entry| registry.get(entry));
        stated.any(|(word, _)| word == NETWORK_REQUESTED) || entry.is_some_and(Task::keeps_network)
    }
}

/// What drafts and declarations are judged by.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    pub(super) registry: &'a Registry,
    pub(super) here: Here,
    pub(super) profile: Profile,
    pub(super) inhibitor: &'a Inhibitor,
}

impl Judge<'_> {
    /// The draft as an entry of a manifest, with the name of its registration.
    ///
    /// # Errors
    ///
    /// All that is wrong with it.
    pub(super) fn draft(&self, draft: &Draft) -> Result<Entry, Vec<Error>> {
        let name = &*draft.name;
        let nameless = name.trim().is_empty();
        let mut errors: Vec<Error> = nameless.then(no_name).into_iter().collect();
        let refused = draft
            .stated
            .iter()
            .filter_map(|(word, _)| not_stated_here(word))
            .map(|error| error.task(name));
        errors.extend(refused);
        let words = |word: &str| not_stated_here(word).is_none();
        let stated = draft.stated.iter().filter(|(word, _)| words(word)).cloned();
        let task = match &draft.entry {
            Some(entry) => self.registry.get(entry).ok_or_else(|| {
                let rule = format!("its entry point `{entry}` is not linked into this program");
                Error::new(Code::UnknownTask, rule)
                    .task(name)
                    .remedy(self.registry.offer(entry, []))
            }),
            None => Err(Error::new(Code::UnknownTask, "it has no entry point")
                .task(name)
                .remedy("say which function runs: `.entry::<sync_mail>()`")),
        };
        let declared = match &task {
            Ok(task) => task.declared_as(name, stated),
            // Without a body there is still the grammar to keep.
            Err(_) => {
                let identity = grammar::Identity {
                    default_name: name.to_owned(),
                    function: String::new(),
                    description: None,
                };
                let named = ("name".to_owned(), FieldValue::from(name));
                let stated = std::iter::once(named).chain(stated);
                Declaration::from_fields(identity, stated).map_err(|mistakes| {
                    mistakes
                        .iter()
                        .map(|one| Error::mistake(name, one))
                        .collect()
                })
            }
        };
        let declaration = match declared {
            Ok(declaration) => Some(declaration),
            Err(mistakes) => {
                // That the name is empty has been said.
                let said = |error: &Error| nameless && error.rule().starts_with("name: ");
                errors.extend(mistakes.into_iter().filter(|error| !said(error)));
                None
            }
        };
        errors.extend(
            declaration
                .iter()
                .flat_map(|declaration| self.declaration(declaration)),
        );
        match (task, declaration) {
            (Ok(task), Some(declaration)) if errors.is_empty() => Ok(Entry {
                declaration,
                ..task.entry.clone()
            }),
            (Ok(_), _) => Err(errors),
            (Err(unknown), _) => {
                errors.insert(0, unknown);
                Err(errors)
            }
        }
    }

    /// What keeps a declaration that breaks no rule of the grammar from being honoured here.
    pub(super) fn declaration(&self, declaration: &Declaration) -> Vec<Error> {
        let mut errors = capability::missing(declaration, self.here);
        errors.extend(capability::network(declaration, || self.inhibitor.check()));
        errors.extend(self.registry.missing_conditions(declaration));
        let in_process = declaration.host == Host::InProcess;
        if self.profile == Profile::Windows && in_process && declaration.trigger == Trigger::Startup
        {
            errors.push(
                Error::new(
                    Code::HostModelUnsupported,
                    "`startup` does not run in the app's own process under Windows' rules",
                )
                .task(&declaration.name)
                .remedy("add `host = process` to the function's attribute"),
            );
        }
        errors
    }
}

fn no_name() -> Error {
    Error::new(
        Code::InvalidDeclaration,
        "the name of the registration is empty",
    )
    .remedy("write `app.registration(\"nightly backup\")`")
}

/// Why an argument of the attribute is not one of a registration.
fn not_stated_here(word: &str) -> Option<Error> {
    let (rule, remedy) = if grammar::is_of_process(word) {
        (
            "belongs to the process of the function that runs",
            "state it in the function's attribute",
        )
    } else if word == "name" {
        (
            "is given where the registration is begun",
            "write `app.registration(\"name\")`",
        )
    } else if word == "register" {
        (
            "is for attributes",
            "leave it out: the builder registers when it is told to",
        )
    } else {
        return None;
    };
    let error = Error::new(Code::InvalidDeclaration, format!("`{word}` {rule}"));
    Some(error.remedy(remedy))
}
