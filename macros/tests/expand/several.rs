#[allow(clippy::unused_async)]
async fn refresh() -> MyResult {
    body
}
/// The background task `refresh` as a type: `app.task::<Refresh>()`.
#[allow(
    dead_code,
    missing_debug_implementations,
    non_camel_case_types,
    unreachable_pub,
    clippy::empty_structs_with_brackets,
    clippy::exhaustive_structs
)]
struct Refresh {}
#[allow(non_local_definitions, unused_imports, clippy::all, clippy::pedantic)]
const _: () = {
    use ::bgtask::__private as __bgtask;
    use __bgtask::words::trigger::every as _;
    impl __bgtask::TaskType for Refresh {
        type Args = ();
        type Output = <MyResult as __bgtask::Return<__bgtask::ViaResult>>::Value;
    }
    #[doc(hidden)]
    #[macro_export]
    macro_rules! two_tasks_are_named__hourly__choose_another_name {
        () => {};
    }
    fn __bgtask_task(_: __bgtask::Ask<'_>) -> __bgtask::Answer {
        __bgtask::from_future::<
            __bgtask::ViaResult,
            MyResult,
            <MyResult as __bgtask::Return<__bgtask::ViaResult>>::Value,
        >(::std::boxed::Box::pin(refresh()))
    }
    __bgtask::register!(
        "hourly", "::refresh",
        ",\"trigger\":\"every(\\\"1h\\\")\",\"macros\":\"0.1.0\"}\u{3}\n"; ()
    );
};
#[allow(non_local_definitions, unused_imports, clippy::all, clippy::pedantic)]
const _: () = {
    use ::bgtask::__private as __bgtask;
    use __bgtask::words::trigger::startup as _;
    #[doc(hidden)]
    #[macro_export]
    macro_rules! two_tasks_are_named__first__choose_another_name {
        () => {};
    }
    fn __bgtask_task(_: __bgtask::Ask<'_>) -> __bgtask::Answer {
        __bgtask::from_future::<
            __bgtask::ViaResult,
            MyResult,
            <MyResult as __bgtask::Return<__bgtask::ViaResult>>::Value,
        >(::std::boxed::Box::pin(refresh()))
    }
    __bgtask::register!(
        "first", "::refresh", ",\"trigger\":\"startup\",\"macros\":\"0.1.0\"}\u{3}\n"; ()
    );
};
