use bgtask::prelude::*;

#[background_task(trigger = media_processing)]
async fn transcode() {}

#[background_task(trigger = media_processing)]
async fn render() {}

fn main() {}
