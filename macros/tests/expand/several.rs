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
    let _ = ::core::option_env!("BGTASK_MACRO_DEBUG");
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
    const __BGTASK_TEXT: &::core::primitive::str = ::core::concat!(
        "\u{2}BGTASK1\u{2}{\"name\":\"hourly\",\"function\":\"", ::core::module_path!(),
        "::refresh\",\"crate\":\"", ::core::env!("CARGO_PKG_NAME"),
        "\",\"crate_version\":\"", ::core::env!("CARGO_PKG_VERSION"),
        "\",\"trigger\":\"every(\\\"1h\\\")\",\"macros\":\"0.1.0\"}\u{3}\n"
    );
    #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__bgtask"))]
    #[cfg_attr(
        not(any(target_vendor = "apple", target_family = "wasm")),
        unsafe(link_section = ".bgtask")
    )]
    static __BGTASK_ENTRY: [::core::primitive::u8; __BGTASK_TEXT.len()] = match __BGTASK_TEXT
        .as_bytes()
        .first_chunk()
    {
        ::core::option::Option::Some(bytes) => *bytes,
        ::core::option::Option::None => ::core::unreachable!(),
    };
    fn __bgtask_task(ask: __bgtask::Ask<'_>) -> ::core::option::Option<__bgtask::Body> {
        let _ = match ask {
            __bgtask::Ask::Start(cx) => cx,
            __bgtask::Ask::Requirements(_) => {
                return ::core::option::Option::None;
            }
        };
        ::core::option::Option::Some(
            __bgtask::from_future::<
                __bgtask::ViaResult,
                MyResult,
                <Refresh as __bgtask::TaskType>::Output,
            >(::std::boxed::Box::pin(refresh())),
        )
    }
    __bgtask::submit! {
        __bgtask::Linked::new(& __BGTASK_ENTRY, __bgtask_task, ::core::any::type_name:: <
        () >,)
    }
};
#[allow(non_local_definitions, unused_imports, clippy::all, clippy::pedantic)]
const _: () = {
    let _ = ::core::option_env!("BGTASK_MACRO_DEBUG");
    use ::bgtask::__private as __bgtask;
    use __bgtask::words::trigger::startup as _;
    #[doc(hidden)]
    #[macro_export]
    macro_rules! two_tasks_are_named__first__choose_another_name {
        () => {};
    }
    const __BGTASK_TEXT: &::core::primitive::str = ::core::concat!(
        "\u{2}BGTASK1\u{2}{\"name\":\"first\",\"function\":\"", ::core::module_path!(),
        "::refresh\",\"crate\":\"", ::core::env!("CARGO_PKG_NAME"),
        "\",\"crate_version\":\"", ::core::env!("CARGO_PKG_VERSION"),
        "\",\"trigger\":\"startup\",\"macros\":\"0.1.0\"}\u{3}\n"
    );
    #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__bgtask"))]
    #[cfg_attr(
        not(any(target_vendor = "apple", target_family = "wasm")),
        unsafe(link_section = ".bgtask")
    )]
    static __BGTASK_ENTRY: [::core::primitive::u8; __BGTASK_TEXT.len()] = match __BGTASK_TEXT
        .as_bytes()
        .first_chunk()
    {
        ::core::option::Option::Some(bytes) => *bytes,
        ::core::option::Option::None => ::core::unreachable!(),
    };
    fn __bgtask_task(ask: __bgtask::Ask<'_>) -> ::core::option::Option<__bgtask::Body> {
        let _ = match ask {
            __bgtask::Ask::Start(cx) => cx,
            __bgtask::Ask::Requirements(_) => {
                return ::core::option::Option::None;
            }
        };
        ::core::option::Option::Some(
            __bgtask::from_future::<
                __bgtask::ViaResult,
                MyResult,
                <Refresh as __bgtask::TaskType>::Output,
            >(::std::boxed::Box::pin(refresh())),
        )
    }
    __bgtask::submit! {
        __bgtask::Linked::new(& __BGTASK_ENTRY, __bgtask_task, ::core::any::type_name:: <
        () >,)
    }
};
