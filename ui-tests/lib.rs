//! Cases are in `tests`: `pass.rs` holds programs that compile without a warning, every other
//! folder programs that must not, one mistake each, with what the compiler says.
