//! `cargo xtask soak`: the same tests as always, at full length.

use std::hash::{BuildHasher, RandomState};

use crate::step::{Steps, cargo, succeed};

/// The package and the test program of each long proof.
const PROOFS: [(&str, &str); 1] = [("bgtask", "kill")];
/// How often the kill proof kills a broker and looks at what survived.
const KILLS: u64 = 200;

pub(crate) fn run(arguments: &[&str]) -> Result<(), String> {
    let (kills, repeat) = read(arguments)?;
    // Another one each time: the standard library keys this hash with random numbers.
    let number = repeat.unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("to repeat: cargo xtask soak --kills {kills} --repeat {number}");
    let mut steps = Steps::default();
    for (package, test) in PROOFS {
        steps.run(test, || {
            let mut command = cargo();
            command
                .args(["test", "--locked", "--package", package, "--test", test])
                .args(["--", "--nocapture"])
                .env("BGTASK_KILLS", kills.to_string())
                .env("BGTASK_SEED", number.to_string());
            succeed(command)
        })?;
    }
    println!("\n{}", steps.summary());
    Ok(())
}

fn read(arguments: &[&str]) -> Result<(u64, Option<u64>), String> {
    let (mut kills, mut repeat) = (KILLS, None);
    let mut rest = arguments;
    while let [option, value, after @ ..] = rest {
        let number = value
            .parse()
            .map_err(|error| format!("{option} {value}: {error}"))?;
        match *option {
            "--kills" if number > 0 => kills = number,
            "--repeat" => repeat = Some(number),
            _ => return Err(format!("{option} {value} is not understood")),
        }
        rest = after;
    }
    match rest {
        [] => Ok((kills, repeat)),
        more => Err(format!("{more:?} is not understood")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_repeats_are_read() {
        assert_eq!(read(&[]), Ok((KILLS, None)));
        let both = ["--repeat", "7", "--kills", "9"];
        assert_eq!(read(&both), Ok((9, Some(7))));
        for wrong in [
            &["--kills"][..],
            &["--kills", "0"],
            &["--kills", "x"],
            &["--fast", "1"],
            &["x"],
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
