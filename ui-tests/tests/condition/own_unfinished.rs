use bgtask::prelude::*;

#[background_task(trigger = startup, condition = self::)]
async fn sync() {}

fn main() {}
