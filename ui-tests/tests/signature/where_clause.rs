use bgtask::prelude::*;

#[background_task(trigger = startup)]
async fn sync()
where
    u8: Copy,
{
}

fn main() {}
