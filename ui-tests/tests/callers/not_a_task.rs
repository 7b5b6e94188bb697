struct Sync;

fn request<F: bgtask::NamedTask>() {}

fn main() {
    request::<Sync>();
}
