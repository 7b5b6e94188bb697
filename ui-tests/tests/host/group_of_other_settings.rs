use bgtask::prelude::*;

#[background_task(trigger = startup, host = process("media"), memory = "512MiB", nice = 5)]
async fn sync() {}

mod inner {
    use bgtask::prelude::*;

    #[background_task(trigger = startup, host = process("media"), memory = "1GiB", nice = 5)]
    async fn send() {}
}

fn main() {}
