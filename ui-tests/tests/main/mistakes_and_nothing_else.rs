#[bgtask::main(setpu = setup)]
fn main(_app: u8, _more: u8) -> u8 {
    0
}
