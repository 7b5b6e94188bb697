//! A program without tasks of its own: those of the libraries it mentions are linked.
//!
//!     cargo run --example linked
//!
//! Without the `use` below the linker would leave the library and its task out.

use bgtask::prelude::*;
use bgtask_examples as _;

#[bgtask::main]
async fn main(app: App) -> bgtask::Result<()> {
    for task in app.registrations().await? {
        println!("{}", task.name);
    }
    Ok(())
}
