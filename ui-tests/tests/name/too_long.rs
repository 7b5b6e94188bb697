use bgtask::prelude::*;

#[background_task(trigger = startup, name = "long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long l")]
async fn sync() {}

fn main() {}
