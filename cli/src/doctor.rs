//! `bgtask doctor`: whether what an app keeps is sound.

use bgtask::{Finding, Severity};
use serde_json::json;

use crate::{
    app::Which,
    output::{Done, Failure, print, print_json, visible},
};

/// Examines what an app keeps; it may run meanwhile
#[derive(Debug, clap::Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    which: Which,
}

impl Doctor {
    pub(crate) async fn run(self) -> Done {
        let (id, store) = self.which.store()?;
        let found = store.check().await?;
        if self.which.json {
            print_json(&json!({ "app": id, "sound": is_sound(&found), "found": found }))?;
        } else {
            print(human(&id, &found))?;
        }
        if is_sound(&found) {
            Ok(())
        } else {
            Err(Failure::Told)
        }
    }
}

fn is_sound(found: &[Finding]) -> bool {
    found
        .iter()
        .all(|finding| finding.severity < Severity::Fault)
}

fn human(id: &str, found: &[Finding]) -> String {
    let mut lines = Vec::new();
    for finding in found {
        let word = match finding.severity {
            Severity::Info => "",
            Severity::Warning => "warning: ",
            _ => "fault: ",
        };
        lines.push(format!("{word}{}", visible(&finding.what)));
        if let Some(remedy) = &finding.remedy {
            lines.push(format!("  help: {}", visible(remedy)));
        }
    }
    lines.push(if is_sound(found) {
        format!("{id}: what it keeps is sound")
    } else {
        format!("{id}: not all of what it keeps is sound")
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: Severity, what: &str) -> Finding {
        Finding {
            severity,
            what: what.to_owned(),
            remedy: (severity > Severity::Info).then(|| "look".to_owned()),
        }
    }

    #[test]
    fn only_a_fault_is_unsound() {
        let mut found = vec![
            finding(Severity::Warning, "waits\u{1b} for nothing"),
            finding(Severity::Info, "3 runs"),
        ];
        assert_eq!(
            human("mail", &found),
            "warning: waits\u{fffd} for nothing\n  help: look\n3 runs\nmail: what it keeps is sound"
        );
        found.insert(0, finding(Severity::Fault, "row 1"));
        assert!(!is_sound(&found));
        let told = human("mail", &found);
        assert!(told.starts_with("fault: row 1\n  help: look\n"), "{told}");
        assert!(told.ends_with("mail: not all of what it keeps is sound"));
    }
}
