//! Starts the app on what a power cut left, and compares what it knows with what it had said.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::Path,
};

use bgtask::{App, AppBuilder, Outcome};
use tempfile::TempDir;

use crate::{
    Result,
    disk::Disk,
    random::Random,
    recording::{self, Change, Step},
    victim,
};

/// The fault that matters most.
const LOST: &str = "acknowledgements are lost, such as";

/// What was acknowledged, and how much of it the disks kept.
#[derive(Debug, Default)]
struct Tally {
    cuts: u64,
    acknowledged: usize,
    /// Disks that lack something, or are not read at all.
    bad: Vec<String>,
}

pub(crate) fn nothing_is_lost() -> Result<()> {
    let cuts = number("BGTASK_POWER_CUTS", 40)?;
    let seed = number("BGTASK_SEED", 20_260_101)?;
    println!("BGTASK_SEED={seed} BGTASK_POWER_CUTS={cuts}");
    let tally = cut(&record()?, cuts, seed)?;
    println!(
        "{} power cuts, {} acknowledgements before them, {} bad disks",
        tally.cuts,
        tally.acknowledged,
        tally.bad.len()
    );
    if let Some(first) = tally.bad.first() {
        return Err(format!("{} bad disks, such as: {first}", tally.bad.len()).into());
    }
    if tally.acknowledged == 0 {
        return Err("nothing was acknowledged, so nothing is proved".into());
    }
    Ok(())
}

/// The negative control: were the proof blind, it would pass. A store that does not sync its log
/// is what `synchronous=NORMAL` would be.
pub(crate) fn no_sync_is_found() -> Result<()> {
    let mut steps = record()?;
    steps.retain(|step| {
        !matches!(step, Step::File(path, Change::Sync) if path.to_string_lossy().ends_with("-wal"))
    });
    let tally = cut(&steps, 20, 1)?;
    let lost = tally.bad.iter().filter(|fault| fault.contains(LOST));
    let lost = lost.count() as u64;
    println!(
        "control: on {lost} of {} disks something is lost",
        tally.cuts
    );
    if lost * 2 < tally.cuts {
        return Err("most of what was not synced was not missed".into());
    }
    Ok(())
}

fn record() -> Result<Vec<Step>> {
    let directory = TempDir::new()?;
    recording::record(&directory.path().canonicalize()?)
}

/// Cuts the power at random moments, sorted, so that the disk is made once.
fn cut(steps: &[Step], cuts: u64, seed: u64) -> Result<Tally> {
    let mut random = Random(seed);
    let mut moments: Vec<u64> = (0..cuts)
        .map(|_| random.below(steps.len() as u64 + 1))
        .collect();
    moments.sort_unstable();
    let mut tally = Tally::default();
    let mut disk = Disk::default();
    let mut said = BTreeSet::new();
    let mut moments = moments.into_iter().peekable();
    let runtime = tokio::runtime::Runtime::new()?;
    for at in 0..=steps.len() {
        while moments.next_if(|moment| *moment == at as u64).is_some() {
            let left = TempDir::new()?;
            disk.cut(left.path(), &mut random)?;
            let verdict = runtime.block_on(look(left.path(), &said));
            tally.cuts += 1;
            tally.acknowledged += said.len();
            if let Err(fault) = verdict {
                tally.bad.push(format!("step {at}: {fault}"));
            }
        }
        let Some(step) = steps.get(at) else { break };
        disk.take(step);
        if let Step::Said(line) = step {
            said.insert(line.clone());
        }
    }
    Ok(tally)
}

/// Starts the app on a disk and lets it finish what is left.
async fn look(directory: &Path, said: &BTreeSet<String>) -> Result<()> {
    let app = AppBuilder::new(victim::APP)
        .state_dir(directory.join(victim::STATE))
        .runtime_dir(directory.join("run"))
        .start()
        .await?;
    let verdict = compare(&app, said).await;
    app.shutdown().await;
    verdict
}

async fn compare(app: &App, said: &BTreeSet<String>) -> Result<()> {
    let mut events = app.events();
    loop {
        let why = app.why("work").await?;
        if why.waiting == 0 && why.running.is_empty() {
            break;
        }
        events.next().await.ok_or("the app ended")?;
    }
    let mut names: Vec<_> = app.registrations().await?;
    names.sort_by(|a, b| a.name.cmp(&b.name));
    let names: Vec<_> = names.iter().map(|one| one.name.as_str()).collect();
    if names != ["work", "yearly"] {
        return Err(format!("registered: {names:?}").into());
    }
    let mut known = BTreeSet::new();
    let mut ends: BTreeMap<_, u32> = BTreeMap::new();
    let mut values = BTreeSet::new();
    for run in app.history(None, u32::MAX).await? {
        if run.retry_at.is_some() {
            continue;
        }
        known.insert(format!("{}{}", victim::ACCEPTED, run.activation));
        known.insert(format!("{}{}", victim::ENDED, run.run));
        *ends.entry(run.activation).or_default() += 1;
        match run.outcome {
            Outcome::Completed { value } if values.insert(value.to_string()) => {}
            other => return Err(format!("{} ended twice, or as {other}", run.activation).into()),
        }
    }
    if let Some((twice, count)) = ends.iter().find(|(_, count)| **count > 1) {
        return Err(format!("{twice} has {count} ends").into());
    }
    let lost: Vec<_> = said.difference(&known).collect();
    match lost.first() {
        None => Ok(()),
        Some(first) => Err(format!("{} {LOST} `{first}`", lost.len()).into()),
    }
}

fn number(name: &str, otherwise: u64) -> Result<u64> {
    match env::var(name) {
        Ok(text) => text
            .parse()
            .map_err(|error| format!("{name}={text}: {error}").into()),
        Err(_) => Ok(otherwise),
    }
}
