use bgtask::prelude::*;

#[background_task(trigger = tmie(15), condition = intrenet, timeot = "1m")]
async fn sync() {}

fn main() {}
