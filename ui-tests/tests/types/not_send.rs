use bgtask::prelude::*;

#[background_task(trigger = startup)]
async fn sync() {
    let shared = std::rc::Rc::new(1);
    std::future::ready(()).await;
    drop(shared);
}

fn main() {}
