//! What the command prints: results on standard output, everything else on standard error.

use std::{
    fmt,
    io::{self, Write},
};

use bgtask::{Code, Error, Standing};
use serde::Serialize;

/// Why the command ends without having done all.
#[derive(Debug)]
pub(crate) enum Failure {
    /// To be told.
    Error(Error),
    /// The problem was told where it was seen.
    Told,
    /// Nobody reads the output any more, as with `bgtask list | head -1`.
    ClosedPipe,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// How a command ends.
pub(crate) type Done = Result<(), Failure>;

/// Writes a result.
pub(crate) fn print(text: impl fmt::Display) -> Done {
    write(io::stdout().lock(), text)
}

/// Writes a result with colours, which only a terminal is given (<https://no-color.org>).
pub(crate) fn print_styled(text: impl fmt::Display) -> Done {
    write(anstream::stdout().lock(), text)
}

fn write(mut out: impl Write, text: impl fmt::Display) -> Done {
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::ClosedPipe),
        Err(error) => Err(Error::new(Code::Control, "the output cannot be written")
            .source(error)
            .into()),
    }
}

/// Writes a result as JSON.
pub(crate) fn print_json(value: &impl Serialize) -> Done {
    match serde_json::to_string_pretty(value) {
        Ok(text) => print(text),
        Err(error) => Err(Error::new(Code::BadResult, "the result is not JSON")
            .source(error)
            .into()),
    }
}

/// Says something that is no result. Where standard error is closed there is nobody to tell.
pub(crate) fn tell(text: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Lines up columns; the first row is the head.
pub(crate) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let lengths = rows.iter().map(|row| row[column].chars().count());
        lengths.max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        visible(cells.join("  ").trim_end())
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A line whose control characters do nothing to a terminal: names, errors and messages of tasks
/// come from elsewhere.
pub(crate) fn visible(line: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    line.chars().map(shown).collect()
}

/// A cell for what may be absent.
pub(crate) fn or_dash(value: Option<impl fmt::Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// The part of an RFC 3339 time that people read: to the second, in UTC.
pub(crate) fn time(time: impl fmt::Display) -> String {
    let text = time.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

/// What a registration may do, as people read it.
pub(crate) fn standing(standing: &Standing) -> String {
    match standing {
        Standing::Enabled => "enabled".to_owned(),
        Standing::Paused { since } => format!("paused since {}", time(since)),
        Standing::Disabled { since } => format!("disabled since {}", time(since)),
        Standing::Quarantined { since, reason } => {
            format!(
                "in quarantine since {}: {}",
                time(since),
                first_line(reason)
            )
        }
        // A later version's: its debug form is better than nothing.
        other => format!("{other:?}"),
    }
}

/// One line of a text that may have several.
pub(crate) fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// "1 task", "2 tasks".
pub(crate) fn tasks(count: usize) -> String {
    format!("{count} task{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["A", "B", "C"], ["größe", "", "x"], ["a", "bb", ""]];
        let rows = rows.map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), "A      B   C\ngröße      x\na      bb");
        let hostile = [["\u{1b}[2J\n".to_owned()]];
        assert_eq!(table(&hostile), "\u{fffd}[2J");
    }

    #[test]
    fn times_are_told_to_the_second() {
        assert_eq!(time("2026-01-02T03:04:05.678901Z"), "2026-01-02T03:04:05Z");
        assert_eq!(time("2026-01-02T03:04:05Z"), "2026-01-02T03:04:05Z");
    }
}
