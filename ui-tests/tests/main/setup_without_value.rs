#[bgtask::main(setup)]
async fn main() {}
