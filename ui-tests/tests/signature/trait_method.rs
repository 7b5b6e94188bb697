use bgtask::prelude::*;

trait Sync {
    #[background_task(trigger = startup)]
    async fn sync();
}

fn main() {}
