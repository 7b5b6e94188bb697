use bgtask::prelude::*;

struct App;

impl App {
    #[background_task(trigger = startup)]
    async fn sync() {}
}

fn main() {}
