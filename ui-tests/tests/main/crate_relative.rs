#[bgtask::main(crate = facade::bgtask)]
async fn main() {}
