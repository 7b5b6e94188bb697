use bgtask::prelude::*;

#[bgtask::main]
async fn main(_app: App, _files: Vec<String>) {}
