use bgtask::prelude::*;

#[background_condition]
async fn vpn_up() -> bool {
    true
}

fn main() {}
