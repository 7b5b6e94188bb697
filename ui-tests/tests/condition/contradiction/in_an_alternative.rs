use bgtask::prelude::*;

#[background_task(trigger = startup, condition = ac_power || (user_present && user_not_present))]
async fn sync() {}

fn main() {}
