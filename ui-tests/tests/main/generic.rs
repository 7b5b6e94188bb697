#[bgtask::main]
async fn main<T>() {}
