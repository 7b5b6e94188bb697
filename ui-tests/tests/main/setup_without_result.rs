use bgtask::prelude::*;

fn setup(app: AppBuilder) -> AppBuilder {
    app
}

#[bgtask::main(setup = setup)]
async fn main() {}
