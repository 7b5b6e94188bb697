//! `bgtask capabilities`: what works on this machine.

use anstyle::{AnsiColor, Style};
use bgtask::{Capabilities as Report, Capability, Support, inspect};

use crate::output::{Done, print_json, print_styled, table, visible};

/// Shows how well each trigger, condition and option works on this machine, and who tells
///
/// "guaranteed" is as documented: who is asked knows, and tells at once. "best effort" works, and is
/// weaker in what the line says. A task with what is "unsupported" is refused when it is registered.
/// The machine is looked at as it is now, with this user's environment and limits.
#[derive(Debug, clap::Args)]
pub(crate) struct Capabilities {
    /// The app whose access file counts, for networks of unknown cost
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Capabilities {
    pub(crate) async fn run(self) -> Done {
        let report = inspect::capabilities(self.app.as_deref()).await?;
        if self.json {
            return print_json(&report);
        }
        print_styled(human(&report))
    }
}

/// Families of words, as people name them.
const TITLES: [(&str, &str); 4] = [
    ("trigger", "TRIGGER"),
    ("system", "system(…)"),
    ("condition", "CONDITION"),
    ("argument", "ARGUMENT"),
];

/// A table for each family, with colours.
fn human(report: &Report) -> String {
    let families = report.capabilities.chunk_by(|a, b| a.family == b.family);
    let tables: Vec<String> = families.map(family).collect();
    tables.join("\n\n")
}

fn family(words: &[Capability]) -> String {
    let name = words.first().map_or("", |one| &*one.family);
    let title = TITLES.iter().find(|title| title.0 == name);
    let title = title.map_or(name, |title| title.1);
    let head = [title, "SUPPORT", "SOURCE", "WHY"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(words.iter().map(row)).collect();
    let table = table(&rows);
    let styles = words.iter().map(|one| style(&one.support));
    let styles = std::iter::once(Style::new().bold()).chain(styles);
    let lines = table.lines().zip(styles);
    let lines = lines.map(|(line, style)| format!("{style}{line}{style:#}"));
    lines.collect::<Vec<_>>().join("\n")
}

fn row(one: &Capability) -> [String; 4] {
    let (support, why) = match &one.support {
        Support::Guaranteed => ("guaranteed", String::new()),
        Support::BestEffort { why } => ("best effort", why.clone()),
        Support::Unsupported { missing, remedy } => ("unsupported", format!("{missing}; {remedy}")),
        // A later version's.
        other => (other.word(), String::new()),
    };
    let sources = if one.sources.is_empty() {
        "-".to_owned()
    } else {
        one.sources.join(", ")
    };
    [one.word.clone(), support.to_owned(), sources, visible(&why)]
}

fn style(support: &Support) -> Style {
    match support {
        Support::Guaranteed => AnsiColor::Green.on_default(),
        Support::BestEffort { .. } => AnsiColor::Yellow.on_default(),
        _ => AnsiColor::Red.on_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_is_a_table_and_each_line_has_its_colour() {
        let report = serde_json::json!({
            "version": 1, "bgtask": "1.0.0", "system": "linux",
            "capabilities": [
                { "family": "trigger", "word": "time", "support": "guaranteed", "sources": ["timerfd"] },
                { "family": "trigger", "word": "voip", "support": "unsupported",
                  "missing": "no phone", "remedy": "call", "sources": [] },
                { "family": "condition", "word": "internet", "support": "best_effort",
                  "why": "a guess\u{1b}", "sources": ["a", "b"] },
            ],
        });
        let report: Report = serde_json::from_value(report).unwrap();
        let shown = human(&report);
        let plain = anstream::adapter::strip_str(&shown).to_string();
        assert_eq!(
            plain,
            "TRIGGER  SUPPORT      SOURCE   WHY\n\
             time     guaranteed   timerfd\n\
             voip     unsupported  -        no phone; call\n\
             \n\
             CONDITION  SUPPORT      SOURCE  WHY\n\
             internet   best effort  a, b    a guess\u{fffd}"
        );
        for (line, colour) in [("time ", "32"), ("voip ", "31"), ("internet ", "33")] {
            assert!(
                shown.contains(&format!("\u{1b}[{colour}m{line}")),
                "{shown:?}"
            );
        }
    }
}
