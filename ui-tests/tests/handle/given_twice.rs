use bgtask::prelude::*;

#[background_task(name = "often", trigger = time(15), handle = Often)]
#[background_task(name = "rarely", trigger = every("7d"), handle = Rarely)]
async fn sync() {}

fn main() {}
