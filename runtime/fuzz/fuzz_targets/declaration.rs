//! Any lines `word = value` as the fields of a declaration: what is read keeps every rule, and its
//! own fields read as the same declaration.
#![no_main]

use bgtask_model::{Declaration, FieldValue, grammar::Identity};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Corpus::Reject;
    };
    match Declaration::from_fields(identity(), text.lines().map(field)) {
        Ok(declaration) => {
            assert_eq!(declaration.check(), []);
            let fields = declaration.fields().into_iter();
            let fields = fields.map(|(word, value)| (word.to_owned(), value));
            let again = Declaration::from_fields(declaration.identity(), fields).unwrap();
            assert_eq!(again, declaration);
            assert_eq!(again.fingerprint_text(), declaration.fingerprint_text());
        }
        Err(mistakes) => assert!(!mistakes.is_empty()),
    }
    Corpus::Keep
});

fn identity() -> Identity {
    Identity {
        default_name: "app::task".to_owned(),
        function: "app::task".to_owned(),
        description: None,
    }
}

/// A value is a number or a flag where it looks like one, as in JSON, and a text everywhere else.
fn field(line: &str) -> (String, FieldValue) {
    let (word, value) = line.split_once('=').unwrap_or((line, "true"));
    let value = value.trim();
    let value = match (value.parse(), value.parse()) {
        (Ok(number), _) => FieldValue::Int(number),
        (_, Ok(flag)) => FieldValue::Bool(flag),
        _ => FieldValue::from(value),
    };
    (word.trim().to_owned(), value)
}
