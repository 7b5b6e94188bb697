use bgtask::prelude::*;

mod limits {
    pub const MINUTES: u32 = 5;
}

#[background_task(trigger = time(limits::MINUTES))]
async fn sync() {}

fn main() {}
