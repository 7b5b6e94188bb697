//! What the victim was told, written down outside the store.
//!
//! Each line is one `write` to a file opened for appending: a kill comes before it or after it.

use std::{
    fmt::Display,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
};

use bgtask::ActivationId;

use crate::Result;

/// The file of what was accepted. Its lines end with the number it was accepted with, or `-`.
pub(crate) const ACCEPTED: &str = "accepted";
/// The file of what has ended for good. Its lines end with the run's identity.
pub(crate) const ENDED: &str = "ended";

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) task: String,
    pub(crate) activation: ActivationId,
    pub(crate) what: String,
}

/// The victim's side.
#[derive(Debug)]
pub(crate) struct Ledger(File);

impl Ledger {
    pub(crate) fn open(directory: &Path, file: &str) -> io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(directory.join(file))?;
        Ok(Self(file))
    }

    pub(crate) fn write(
        &self,
        task: &str,
        activation: ActivationId,
        what: impl Display,
    ) -> io::Result<()> {
        let line = format!("{task} {activation} {what}\n");
        match (&self.0).write(line.as_bytes())? {
            written if written == line.len() => Ok(()),
            _ => Err(io::ErrorKind::WriteZero.into()),
        }
    }
}

/// The judge's side.
pub(crate) fn read(directory: &Path, file: &str) -> Result<Vec<Told>> {
    let text = fs::read_to_string(directory.join(file))?;
    text.lines()
        .map(|line| {
            let mut words = line.split(' ');
            let mut word = || words.next().ok_or_else(|| format!("cut off: {line:?}"));
            Ok(Told {
                task: word()?.to_owned(),
                activation: word()?.parse()?,
                what: word()?.to_owned(),
            })
        })
        .collect()
}
