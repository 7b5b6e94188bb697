#[bgtask::main]
#[bgtask::main]
async fn main() {}
