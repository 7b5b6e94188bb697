use bgtask::prelude::*;

#[background_task(trigger = system(user_away(1)))]
async fn sync() {}

fn main() {}
