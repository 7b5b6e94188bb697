//! Any bytes as an executable: its entries, or an error, and entries that are fit for a file.
#![no_main]

use bgtask_fuzz::{Code, Entry, Manifest, read_executable};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let entries = match read_executable(bytes) {
        Ok(entries) => entries,
        Err(error) => return assert_eq!(error.code(), Code::Manifest),
    };
    for entry in &entries {
        assert_eq!(&Entry::from_frame(&entry.to_frame()).unwrap(), entry);
    }
    match Manifest::new("program", entries) {
        Ok(manifest) => {
            let text = manifest.to_json();
            assert_eq!(Manifest::from_json(text.as_bytes()).unwrap(), manifest);
        }
        Err(error) => assert_eq!(error.code(), Code::DuplicateName),
    }
});
