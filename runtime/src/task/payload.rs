//! How large arguments and results may be: in bytes of their JSON text.

use std::io;

use serde_json::Value;

/// What an app allows unless it says otherwise.
pub(crate) const DEFAULT_PAYLOAD: usize = 1 << 20;

/// The most that an app can allow. A message takes 4 MiB, and numbers may be more than twice as
/// long there as in JSON: nine bytes instead of the four of `0.5,`.
pub(crate) const MOST_PAYLOAD: usize = 3 << 19;

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
        ] {
            assert_eq!(json_length(&value), value.to_string().len());
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
