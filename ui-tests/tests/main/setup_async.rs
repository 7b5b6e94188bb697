use bgtask::prelude::*;

async fn setup(app: AppBuilder) -> Result<AppBuilder, std::io::Error> {
    Ok(app)
}

#[bgtask::main(setup = setup)]
async fn main() {}
