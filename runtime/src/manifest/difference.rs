//! What is not the same in two manifests.

use std::{cmp::Ordering, collections::BTreeSet, fmt};

use serde_json::{Map, Value};

use super::{Entry, Manifest};

/// One difference between the tasks in an executable and those in a manifest file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The file does not list the task.
    Missing(String),
    /// The file lists a task that the executable does not have.
    Gone(String),
    /// The file lists the task with another declaration.
    Changed {
        /// The task's name.
        task: String,
        /// What differs in it, by the names of the fields.
        fields: Vec<ChangedField>,
    },
}

/// A field that a task's entry in the file states differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedField {
    /// The field, such as `trigger`.
    pub field: String,
    /// Its value in the executable, as JSON; `None`: it is not stated there.
    pub executable: Option<String>,
    /// Its value in the file, as JSON; `None`: it is not stated there.
    pub file: Option<String>,
}

impl Manifest {
    /// How the tasks of a file differ from these, a line each; empty if they are the same. The
    /// app's id and the executable's name are not compared: a copy may have another name.
    #[must_use]
    pub fn differences(&self, file: &Self) -> Vec<Difference> {
        let mut differences = Vec::new();
        // Both are sorted by name.
        let (mut ours, mut theirs) = (self.tasks(), file.tasks());
        loop {
            let order = match (ours.first(), theirs.first()) {
                (None, None) => return differences,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(our), Some(their)) => our.name().cmp(their.name()),
            };
            match (ours, theirs, order) {
                ([our, more @ ..], _, Ordering::Less) => {
                    differences.push(Difference::Missing(our.name().to_owned()));
                    ours = more;
                }
                (_, [their, more @ ..], Ordering::Greater) => {
                    differences.push(Difference::Gone(their.name().to_owned()));
                    theirs = more;
                }
                ([our, more @ ..], [their, others @ ..], _) => {
                    differences.extend(changed(our, their));
                    (ours, theirs) = (more, others);
                }
                _ => return differences,
            }
        }
    }
}

fn changed(our: &Entry, their: &Entry) -> Option<Difference> {
    if our == their {
        return None;
    }
    let (ours, theirs) = (fields(our), fields(their));
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let differs = |name: &&&String| ours.get(**name) != theirs.get(**name);
    let fields = names.iter().filter(differs).map(|name| ChangedField {
        field: (*name).clone(),
        executable: ours.get(*name).map(Value::to_string),
        file: theirs.get(*name).map(Value::to_string),
    });
    Some(Difference::Changed {
        task: our.name().to_owned(),
        fields: fields.collect(),
    })
}

fn fields(entry: &Entry) -> Map<String, Value> {
    match serde_json::to_value(entry) {
        Ok(Value::Object(fields)) => fields,
        // An entry is an object of texts, numbers and flags.
        _ => Map::new(),
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(task) => write!(f, "`{task}` is not in the file"),
            Self::Gone(task) => write!(f, "`{task}` is no longer in the executable"),
            Self::Changed { task, fields } => {
                write!(f, "`{task}` is declared differently")?;
                for (index, field) in fields.iter().enumerate() {
                    write!(f, "{} {field}", if index == 0 { ":" } else { "," })?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for ChangedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stated = |value: &Option<String>| value.clone().unwrap_or_else(|| "not stated".into());
        let (executable, file) = (stated(&self.executable), stated(&self.file));
        write!(f, "{} is {executable}, in the file {file}", self.field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::samples;

    #[test]
    fn differences_are_told_by_name_and_field() {
        let ours = Manifest::new("sample", samples::all()).unwrap();
        let mut theirs = samples::all();
        theirs.remove(0);
        theirs[0].declaration.options.priority += 1;
        theirs[0].declaration.description = None;
        let mut extra = theirs[1].clone();
        extra.declaration.name = "zzz".to_owned();
        theirs.push(extra);
        let theirs = Manifest::new("copy", theirs).unwrap().with_app("a");
        let told: Vec<String> = ours
            .differences(&theirs)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            told,
            [
                "`task_00` is not in the file",
                "`task_01` is declared differently: priority is not stated, in the file 1",
                "`zzz` is no longer in the executable",
            ]
        );
        let again = Manifest::new("copy", samples::all()).unwrap().with_app("a");
        assert_eq!(ours.differences(&again), []);
    }
}
