use bgtask::prelude::*;

#[background_task(trigger = startup, condition = self::vpn_up())]
async fn sync() {}

fn main() {}
