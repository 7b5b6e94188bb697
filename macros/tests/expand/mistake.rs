#[allow(clippy::unused_async)]
async fn sync(Args(name): Args<String>) -> Result<usize, Failure> {
    body
}
/// A background task.
#[allow(
    dead_code,
    missing_debug_implementations,
    non_camel_case_types,
    unreachable_pub,
    clippy::empty_structs_with_brackets,
    clippy::exhaustive_structs
)]
struct sync {}
impl ::bgtask::__private::TaskType for sync {
    type Args = String;
    type Output = usize;
}
impl ::bgtask::__private::NamedTask for sync {
    const NAME: &'static ::core::primitive::str = ::core::concat!(
        ::core::module_path!(), "::sync"
    );
}
impl ::bgtask::__private::Requestable for sync {}
::core::compile_error! {
    "unknown trigger `tmie`\n  help: did you mean `time`?"
}
