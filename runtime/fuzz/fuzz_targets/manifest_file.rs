//! Any bytes as a manifest file: the manifest, which comes back from its own text, or an error.
#![no_main]

use bgtask_fuzz::{Code, Manifest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match Manifest::from_json(bytes) {
        Ok(manifest) => {
            let text = manifest.to_json();
            let again = Manifest::from_json(text.as_bytes()).unwrap();
            assert_eq!(again, manifest);
            assert_eq!(again.to_json(), text);
            assert!(manifest.differences(&again).is_empty());
        }
        Err(error) => assert!(matches!(error.code(), Code::Manifest | Code::DuplicateName)),
    }
});
