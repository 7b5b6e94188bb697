#[bgtask::main(setup = setup)]
async fn main() {}
