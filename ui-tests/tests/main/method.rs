struct Main;

impl Main {
    #[bgtask::main]
    async fn main(self) {}
}

fn main() {}
