//! `cargo xtask soak`: the same tests as always, at full length.

use std::hash::{BuildHasher, RandomState};

use crate::{
    fuzz::{self, Length},
    step::{Steps, cargo, succeed},
};

/// The package and the test program of each long proof.
const PROOFS: [(&str, &str); 6] = [
    ("bgtask", "kill"),
    ("bgtask", "data"),
    ("bgtask", "outbox"),
    ("bgtask", "power"),
    ("bgtask", "endings"),
    ("cargo-bgtask", "built"),
];
/// How often the kill proof kills a broker and looks at what survived.
const KILLS: u64 = 2000;
/// How many disks that a power cut could leave are tried.
const POWER_CUTS: u64 = 1000;
/// How many runs end in a random way.
const ENDINGS: u64 = 1000;
/// How often processes race to register one name.
const RACES: u64 = 10_000;
/// How many random histories the scheduler is compared with its rules over.
const HISTORIES: u64 = 20_000;
/// How long hostile input is tried.
const FUZZ_MINUTES: u64 = 10;

#[derive(Debug, PartialEq)]
struct Wanted {
    kills: u64,
    endings: u64,
    races: u64,
    fuzz_minutes: u64,
    repeat: Option<u64>,
}

pub(crate) fn run(arguments: &[&str]) -> Result<(), String> {
    let Wanted {
        kills,
        endings,
        races,
        fuzz_minutes,
        repeat,
    } = read(arguments)?;
    // Another one each time: the standard library keys this hash with random numbers.
    let number = repeat.unwrap_or_else(|| RandomState::new().hash_one(0));
    println!(
        "to repeat: cargo xtask soak --kills {kills} --endings {endings} --races {races} \
         --fuzz-minutes {fuzz_minutes} --repeat {number}"
    );
    let mut steps = Steps::default();
    for (package, test) in PROOFS {
        steps.run(test, || {
            let mut command = cargo();
            command
                .args(["test", "--locked", "--package", package, "--test", test])
                .args(["--", "--nocapture"])
                .env("BGTASK_MATRIX", "full")
                .env("BGTASK_KILLS", kills.to_string())
                .env("BGTASK_OUTBOX_KILLS", kills.to_string())
                .env("BGTASK_POWER_CUTS", POWER_CUTS.to_string())
                .env("BGTASK_ENDINGS", endings.to_string())
                .env("BGTASK_SEED", number.to_string());
            succeed(command)
        })?;
    }
    let counts = [
        ("races", "BGTASK_REGISTER_RACES", races),
        ("model", "BGTASK_MODEL_CASES", HISTORIES),
    ];
    for (tests, count, number) in counts {
        steps.run(tests, || {
            let mut command = cargo();
            command
                .args(["test", "--locked", "--package", "bgtask", "--lib"])
                .arg(format!("{tests}::"))
                .env(count, number.to_string());
            succeed(command)
        })?;
    }
    steps.run("fuzz", || fuzz::run(Length::Minutes(fuzz_minutes), number))?;
    println!("\n{}", steps.summary());
    Ok(())
}

fn read(arguments: &[&str]) -> Result<Wanted, String> {
    let mut wanted = Wanted {
        kills: KILLS,
        endings: ENDINGS,
        races: RACES,
        fuzz_minutes: FUZZ_MINUTES,
        repeat: None,
    };
    let mut rest = arguments;
    while let [option, value, after @ ..] = rest {
        let number = value
            .parse()
            .map_err(|error| format!("{option} {value}: {error}"))?;
        match *option {
            "--kills" if number > 0 => wanted.kills = number,
            "--endings" if number > 0 => wanted.endings = number,
            "--races" if number > 0 => wanted.races = number,
            "--fuzz-minutes" if number > 0 => wanted.fuzz_minutes = number,
            "--repeat" => wanted.repeat = Some(number),
            _ => return Err(format!("{option} {value} is not understood")),
        }
        rest = after;
    }
    match rest {
        [] => Ok(wanted),
        more => Err(format!("{more:?} is not understood")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_repeats_are_read() {
        let usual = Wanted {
            kills: KILLS,
            endings: ENDINGS,
            races: RACES,
            fuzz_minutes: FUZZ_MINUTES,
            repeat: None,
        };
        assert_eq!(read(&[]), Ok(usual));
        let all = "--repeat 7 --kills 9 --endings 8 --races 6 --fuzz-minutes 1";
        let all: Vec<_> = all.split(' ').collect();
        let wanted = Wanted {
            kills: 9,
            endings: 8,
            races: 6,
            fuzz_minutes: 1,
            repeat: Some(7),
        };
        assert_eq!(read(&all), Ok(wanted));
        for wrong in [
            &["--kills"][..],
            &["--kills", "0"],
            &["--kills", "x"],
            &["--endings", "0"],
            &["--races", "0"],
            &["--fuzz-minutes", "0"],
            &["--fast", "1"],
            &["x"],
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
