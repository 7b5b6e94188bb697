//! Another process that fires tasks over the control socket, as the command does. It is killed too.

use std::{env, path::PathBuf, thread, time::Duration};

use bgtask::inspect::{self, Live, Request, Response};

use crate::{
    Result,
    ledger::{self, Ledger},
    victim,
};

/// The how-maniest caller this process is.
pub(crate) const CALLER: &str = "BGTASK_KILL_CALLER";

/// No victim uses so high a number, and each caller has some to itself.
const FIRST: u64 = 1 << 63;

/// Whether a caller wrote this line of the ledger.
pub(crate) fn is_its(what: &str) -> bool {
    what.parse::<u64>().is_ok_and(|number| number >= FIRST)
}

/// Fires for ever. What it was told is accepted goes to the same ledger as what the victim asks for.
pub(crate) fn main(caller: u64) -> Result<()> {
    let directory = PathBuf::from(env::var_os(victim::DIRECTORY).ok_or("no directory")?);
    let accepted = Ledger::open(&directory, ledger::ACCEPTED)?;
    let mut numbers = FIRST | (caller << 32);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        loop {
            // None listens while a victim starts, and one that is killed breaks the connection.
            if let Ok(Some(live)) = inspect::connect(victim::APP).await {
                let _ = fire(live, &accepted, &mut numbers).await;
            }
            thread::sleep(Duration::from_millis(1));
        }
    })
}

async fn fire(mut live: Live, accepted: &Ledger, numbers: &mut u64) -> Result<()> {
    loop {
        *numbers += 1;
        let request = Request::Fire {
            task: victim::QUICK.to_owned(),
            arguments: Some((*numbers).into()),
        };
        match live.ask(&request).await? {
            Response::Fired { activation } => {
                accepted.write(victim::QUICK, activation, *numbers)?
            }
            other => return Err(format!("{other:?}").into()),
        }
    }
}
