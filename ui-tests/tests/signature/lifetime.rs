use bgtask::prelude::*;

#[background_task(trigger = startup)]
async fn sync<'a>(_name: State<&'a str>) {}

fn main() {}
