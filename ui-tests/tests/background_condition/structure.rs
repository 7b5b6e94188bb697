use bgtask::prelude::*;

#[background_condition]
struct VpnUp;

fn main() {}
