use bgtask::prelude::*;

fn setup() -> Result<AppBuilder, std::io::Error> {
    Ok(AppBuilder::new("app"))
}

#[bgtask::main(setup = setup)]
async fn main() {}
