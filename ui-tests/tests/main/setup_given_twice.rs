use bgtask::prelude::*;

fn setup(app: AppBuilder) -> Result<AppBuilder, std::io::Error> {
    Ok(app)
}

#[bgtask::main(setup = setup, setup = setup)]
async fn main() {}
