#[allow(clippy::unused_async)]
async fn vpn_up(report: ConditionReporter) -> Result<(), Failure> {
    body
}
/// The condition `vpn_up` as a type.
#[allow(
    dead_code,
    missing_debug_implementations,
    non_camel_case_types,
    unreachable_pub,
    clippy::empty_structs_with_brackets,
    clippy::exhaustive_structs
)]
struct vpn_up {}
impl ::bgtask::__private::ConditionType for vpn_up {
    const NAME: &'static ::core::primitive::str = ::core::concat!(
        ::core::module_path!(), "::vpn_up"
    );
}
#[allow(clippy::all, clippy::pedantic)]
const _: () = {
    fn __bgtask_watch(
        report: ::bgtask::__private::ConditionReporter,
    ) -> ::bgtask::__private::ConditionFuture {
        ::bgtask::__private::condition_future::<Result<(), Failure>, _>(vpn_up(report))
    }
    ::bgtask::__private::submit! {
        ::bgtask::__private::LinkedCondition::new(::core::concat!(::core::module_path!(),
        "::vpn_up"), __bgtask_watch)
    }
};
