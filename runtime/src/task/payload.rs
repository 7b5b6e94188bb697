//! How large arguments and results may be: in bytes of their JSON text.

use std::io;

use serde_json::Value;

/// What an app allows unless it says otherwise.
pub(crate) const DEFAULT_PAYLOAD: usize = 1 << 20;

/// The most that an app can allow. A message takes 4 MiB, and numbers may be more than twice as
/// long there as in JSON: nine bytes instead of the four of `0.5,`.
pub(crate) const MOST_PAYLOAD: usize = 3 << 19;

/// The length of a value's JSON text, if it is longer than `allowed`.
pub(crate) fn longer_than(allowed: usize, value: &Value) -> Option<usize> {
    if at_most(value) <= allowed {
        return None;
    }
    Some(json_length(value)).filter(|length| *length > allowed)
}

/// As long as its text can be, for which no text is looked through.
fn at_most(value: &Value) -> usize {
    const NUMBER: usize = "-9223372036854775808".len();
    let text = |text: &str| text.len() * "\\u0000".len() + "\"\"".len();
    match value {
        Value::Null | Value::Bool(_) => "false".len(),
        // One of arbitrary precision is as long as it was written.
        Value::Number(number) if number.is_i64() || number.is_u64() => NUMBER,
        Value::Number(number) => number.to_string().len(),
        Value::String(string) => text(string),
        Value::Array(items) => {
            let items = items.iter().map(|item| at_most(item) + ",".len());
            "[]".len() + items.sum::<usize>()
        }
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields = fields.map(|(name, value)| text(name) + at_most(value) + ":,".len());
            "{}".len() + fields.sum::<usize>()
        }
    }
}

/// The length of a value's JSON text.
pub(crate) fn json_length(value: &Value) -> usize {
    let mut length = Length(0);
    // Neither a count nor a `Value` can fail.
    let _ = serde_json::to_writer(&mut length, value);
    length.0
}

struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ipc::frame::MAX_FRAME;

    #[test]
    fn a_length_is_that_of_the_text() {
        for value in [
            json!(null),
            json!("é\n\""),
            json!({"a": [1, -2.5, u64::MAX], "": {}}),
            json!([
                "\u{1}\u{1}",
                f64::MIN_POSITIVE,
                f64::MIN,
                i64::MIN,
                true,
                false
            ]),
            json!({"\u{1}": [[], [[]]], "b": {"c": null}}),
        ] {
            let length = value.to_string().len();
            assert_eq!(json_length(&value), length);
            assert!(at_most(&value) >= length, "{value}");
            assert_eq!(longer_than(length, &value), None, "{value}");
            assert_eq!(longer_than(length - 1, &value), Some(length), "{value}");
        }
    }

    #[test]
    fn the_most_fits_a_message_in_its_widest_form() {
        let widest = json!(vec![0.5; MOST_PAYLOAD / 4]);
        assert!(json_length(&widest) > MOST_PAYLOAD - 4);
        let message = rmp_serde::to_vec_named(&widest).unwrap();
        assert!(message.len() > 2 * MOST_PAYLOAD);
        // Names, identities and details need far less than what is left.
        assert!(message.len() + (64 << 10) < MAX_FRAME, "{}", message.len());
    }
}
