use bgtask::prelude::*;

#[background_task(trigger = device_use, host = process)]
async fn print() {}

#[background_task(trigger = device_use, host = process)]
async fn scan() {}

fn main() {}
