//! Writing an answer into the user's policy: everything else in the file stays as it was written.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use bgtask::{Code, Error, Result, access::Answer};
use tempfile::NamedTempFile;
use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

/// What a new file begins with.
const HEAD: &str =
    "# Which apps may work in the background. `bgtask access` shows this and writes it.\n";

/// Replaces what the file says of an app's access; `None`: it says nothing of it any more. Who
/// reads the file sees it as it was or as it is then.
pub(super) fn write(file: &Path, app: &str, answer: Option<Answer>) -> Result<()> {
    let failed = |error: io::Error| {
        let rule = format!("the file `{}` cannot be written", file.display());
        Error::new(Code::AccessPolicy, rule).source(error)
    };
    // A link into a place of the user's own stays one.
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let dir = file.parent().map(PathBuf::from).unwrap_or_default();
    fs::create_dir_all(&dir).map_err(failed)?;
    // Two commands at once would each write over the other's answer.
    let turn = File::open(&dir).map_err(failed)?;
    turn.lock().map_err(failed)?;
    let before = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => HEAD.to_owned(),
        Err(error) => return Err(failed(error)),
    };
    let after = edited(&before, app, answer).map_err(|what| failed(io::Error::other(what)))?;
    replace(&file, &dir, &after).map_err(failed)?;
    turn.sync_all().map_err(failed)
}

fn replace(file: &Path, dir: &Path, text: &str) -> io::Result<()> {
    let mut new = NamedTempFile::new_in(dir)?;
    new.write_all(text.as_bytes())?;
    if let Ok(old) = fs::metadata(file) {
        new.as_file().set_permissions(old.permissions())?;
    }
    new.as_file().sync_all()?;
    new.persist(file)?;
    Ok(())
}

/// The text with the answer in it.
fn edited(text: &str, app: &str, answer: Option<Answer>) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|error| format!("{error}"))?;
    let Some(answer) = answer else {
        let apps = document.get_mut("app").and_then(Item::as_table_like_mut);
        let own = apps.and_then(|apps| apps.get_mut(app)?.as_table_like_mut());
        if let Some(own) = own {
            own.remove("access");
        }
        return Ok(document.to_string());
    };
    // A file of comments only: they stay above what is added.
    let head = document.is_empty().then(|| document.trailing().clone());
    if head.is_some() {
        document.set_trailing("");
    }
    let apps = document.entry("app").or_insert_with(|| {
        let mut table = Table::new();
        // Its own line, `[app]`, would say nothing.
        table.set_implicit(true);
        Item::Table(table)
    });
    let apps = table(apps, "app")?;
    if apps.get(app).is_none() {
        let mut table = Table::new();
        if let Some(head) = head.as_ref().and_then(|head| head.as_str()) {
            let gap = if head.is_empty() { "" } else { "\n" };
            table.decor_mut().set_prefix(format!("{head}{gap}"));
        }
        apps.insert(app, Item::Table(table));
    }
    let own = apps.get_mut(app).ok_or("it is not kept")?;
    let own = table(own, app)?;
    let mut value = Value::from(answer.as_str());
    match own.get_mut("access") {
        Some(old) => {
            // What stands behind it on its line stays there.
            if let Some(old) = old.as_value() {
                *value.decor_mut() = old.decor().clone();
            }
            *old = Item::Value(value);
        }
        None => {
            own.insert("access", Item::Value(value));
        }
    }
    Ok(document.to_string())
}

fn table<'i>(item: &'i mut Item, name: &str) -> Result<&'i mut dyn TableLike, String> {
    item.as_table_like_mut()
        .ok_or_else(|| format!("`{name}` is not a table"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answer_changes() {
        let before = "# mine\n[default] # all\naccess = \"allow\"\n\n# work\n[app.\"com.example.mail\"]\n# since May\naccess  =  \"ask\"   # why\nunknown_metering = \"allow\"\n\n[app.photos]\naccess = 'always'\n";
        let after = edited(before, "com.example.mail", Some(Answer::Deny)).unwrap();
        assert_eq!(after, before.replace("\"ask\"", "\"deny\""));
        let after = edited(before, "photos", Some(Answer::Ask)).unwrap();
        assert_eq!(after, before.replace("'always'", "\"ask\""));
        let after = edited(before, "com.example.mail", None).unwrap();
        let line = "# since May\naccess  =  \"ask\"   # why\n";
        assert_eq!(after, before.replace(line, ""));
        assert_eq!(edited(before, "unknown", None).unwrap(), before);
    }

    #[test]
    fn an_app_is_added_to_what_is_there() {
        let mail = "com.example.mail";
        for (before, after) in [
            ("", "[app.\"com.example.mail\"]\naccess = \"deny\"\n"),
            (
                "# mine\n",
                "# mine\n\n[app.\"com.example.mail\"]\naccess = \"deny\"\n",
            ),
            (
                "# mine\n[default]\naccess = \"ask\"\n",
                "# mine\n[default]\naccess = \"ask\"\n\n[app.\"com.example.mail\"]\naccess = \"deny\"\n",
            ),
            (
                "[app.a]\naccess = \"ask\"\n",
                "[app.a]\naccess = \"ask\"\n\n[app.\"com.example.mail\"]\naccess = \"deny\"\n",
            ),
            (
                "app.\"com.example.mail\".unknown_metering = \"deny\"\n",
                "app.\"com.example.mail\".unknown_metering = \"deny\"\napp.\"com.example.mail\".access = \"deny\"\n",
            ),
            (
                "app = { a = { access = \"ask\" } }\n",
                "app = { a = { access = \"ask\" } , \"com.example.mail\" = { access = \"deny\" } }\n",
            ),
        ] {
            let got = edited(before, mail, Some(Answer::Deny)).unwrap();
            assert_eq!(got, after, "{before}");
        }
        let error = edited("app = 3", mail, Some(Answer::Deny)).unwrap_err();
        assert_eq!(error, "`app` is not a table");
    }
}
