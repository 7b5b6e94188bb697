//! The minimum Rust version: no dependency may ask for a newer one than we state.
//!
//! That we call nothing newer of the standard library is clippy's lint `incompatible_msrv`, which
//! reads the version that `Cargo.toml` states.

use serde_json::Value;

use crate::step::cargo;

pub(crate) fn check() -> Result<(), String> {
    let output = cargo()
        .args(["metadata", "--format-version=1", "--locked"])
        .output()
        .map_err(|error| format!("cargo metadata cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cargo metadata is not JSON: {error}"))?;
    let (ours, newer) = compare(&metadata)?;
    if newer.is_empty() {
        println!("no dependency needs a newer Rust than {ours}");
        Ok(())
    } else {
        Err(format!(
            "we state Rust {ours}, and these need a newer one: {}",
            newer.join(", ")
        ))
    }
}

/// The version we state, and the packages that need a newer one.
fn compare(metadata: &Value) -> Result<(&str, Vec<String>), String> {
    let packages = metadata["packages"].as_array().ok_or("no packages")?;
    let is_ours = |package: &&Value| package["name"] == "bgtask" && package["source"].is_null();
    let ours = packages
        .iter()
        .find(is_ours)
        .and_then(|package| package["rust_version"].as_str())
        .ok_or("`bgtask` does not state its rust-version")?;
    let limit = version(ours).ok_or("our rust-version is no version")?;
    let mut newer = Vec::new();
    for package in packages {
        if let Some(stated) = package["rust_version"].as_str()
            && version(stated).is_none_or(|stated| stated > limit)
        {
            let name = package["name"].as_str().unwrap_or("?");
            newer.push(format!("{name} ({stated})"));
        }
    }
    Ok((ours, newer))
}

fn version(text: &str) -> Option<[u64; 3]> {
    let mut numbers = [0; 3];
    for (index, part) in text.split('.').enumerate() {
        *numbers.get_mut(index)? = part.parse().ok()?;
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_ones_are_named() {
        let metadata = serde_json::json!({ "packages": [
            { "name": "bgtask", "source": null, "rust_version": "1.89" },
            { "name": "old", "rust_version": "1.9.0" },
            { "name": "same", "rust_version": "1.89.0" },
            { "name": "silent", "rust_version": null },
            { "name": "patch", "rust_version": "1.89.1" },
            { "name": "new", "rust_version": "1.100" },
        ]});
        let (ours, newer) = compare(&metadata).unwrap();
        assert_eq!(ours, "1.89");
        assert_eq!(newer, ["patch (1.89.1)", "new (1.100)"]);
    }
}
