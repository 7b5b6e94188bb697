#[bgtask::main(stup = setup)]
async fn main() {}
