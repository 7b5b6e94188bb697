use bgtask::prelude::*;

#[background_task(trigger = tmie(15))]
async fn resize(Args(name): Args<String>) -> Result<usize, std::fmt::Error> {
    Ok(name.len())
}

fn request<F: bgtask::NamedTask>(_: F::Args) -> Option<F::Output> {
    None
}

async fn caller() -> Option<usize> {
    let _ = resize(Args(String::new())).await;
    request::<resize>("a".to_owned())
}

fn main() {}
