#[allow(clippy::unused_async)]
async fn sync_mail() {}
/// The background task `sync_mail` as a type: `app.task::<sync_mail>()`.
#[allow(
    dead_code,
    missing_debug_implementations,
    non_camel_case_types,
    unreachable_pub,
    clippy::empty_structs_with_brackets,
    clippy::exhaustive_structs
)]
struct sync_mail {}
#[allow(non_local_definitions, unused_imports, clippy::all, clippy::pedantic)]
const _: () = {
    let _ = ::core::option_env!("BGTASK_MACRO_DEBUG");
    use ::bgtask::__private as __bgtask;
    use __bgtask::words::trigger::time as _;
    impl __bgtask::TaskType for sync_mail {
        type Args = ();
        type Output = ();
    }
    impl __bgtask::NamedTask for sync_mail {
        const NAME: &'static ::core::primitive::str = ::core::concat!(
            ::core::module_path!(), "::", "sync_mail"
        );
    }
    const __BGTASK_TEXT: &::core::primitive::str = ::core::concat!(
        "\u{2}BGTASK1\u{2}{\"name\":\"", ::core::module_path!(),
        "::sync_mail\",\"function\":\"", ::core::module_path!(),
        "::sync_mail\",\"crate\":\"", ::core::env!("CARGO_PKG_NAME"),
        "\",\"crate_version\":\"", ::core::env!("CARGO_PKG_VERSION"),
        "\",\"trigger\":\"time(15)\",\"macros\":\"0.1.0\"}\u{3}\n"
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
                __bgtask::ViaValue,
                (),
                <sync_mail as __bgtask::TaskType>::Output,
            >(::std::boxed::Box::pin(sync_mail())),
        )
    }
    __bgtask::submit! {
        __bgtask::Linked::new(& __BGTASK_ENTRY, __bgtask_task, ::core::any::type_name:: <
        () >,)
    }
};
