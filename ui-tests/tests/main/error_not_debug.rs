struct Failure;

#[bgtask::main]
async fn main() -> Result<(), Failure> {
    Ok(())
}
