fn nightly() -> anyhow::Result<()> {
    body
}
/// The background task `nightly` as a type: `app.task::<nightly>()`.
#[allow(
    dead_code,
    missing_debug_implementations,
    non_camel_case_types,
    unreachable_pub,
    clippy::empty_structs_with_brackets,
    clippy::exhaustive_structs
)]
struct nightly {}
#[allow(non_local_definitions, unused_imports, clippy::all, clippy::pedantic)]
const _: () = {
    let _ = ::core::option_env!("BGTASK_MACRO_DEBUG");
    use ::facade::tasks::__private as __bgtask;
    use __bgtask::words::{trigger::time as _, condition::internet as _};
    impl __bgtask::TaskType for nightly {
        type Args = ();
        type Output = ();
    }
    impl __bgtask::NamedTask for nightly {
        const NAME: &'static ::core::primitive::str = ::core::concat!(
            ::core::module_path!(), "::", "nightly"
        );
    }
    const __BGTASK_NUMBER_0: ::core::primitive::u32 = limits::MINUTES;
    const _: () = match __bgtask::model::HoleRule::TimeMinutes.check(__BGTASK_NUMBER_0) {
        ::core::option::Option::Some(rule) => {
            ::core::panic!("{}", rule.message_with_help)
        }
        ::core::option::Option::None => {}
    };
    const __BGTASK_TEXT: &[&::core::primitive::str] = &[
        ::core::concat!(
            "\u{2}BGTASK1\u{2}{\"name\":\"", ::core::module_path!(),
            "::nightly\",\"function\":\"", ::core::module_path!(),
            "::nightly\",\"crate\":\"", ::core::env!("CARGO_PKG_NAME"),
            "\",\"crate_version\":\"", ::core::env!("CARGO_PKG_VERSION"),
            "\",\"trigger\":\"time("
        ),
        {
            const DIGITS: __bgtask::Digits = __bgtask::Digits::of(__BGTASK_NUMBER_0);
            DIGITS.as_str()
        },
        ::core::concat!(")\",\"condition\":\"internet && "),
        <crate::vpn_up as __bgtask::ConditionType>::NAME,
        ::core::concat!("\",\"macros\":\"0.1.0\"}\u{3}\n"),
    ];
    #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__bgtask"))]
    #[cfg_attr(
        not(any(target_vendor = "apple", target_family = "wasm")),
        unsafe(link_section = ".bgtask")
    )]
    static __BGTASK_ENTRY: [::core::primitive::u8; __bgtask::joined_len(
        __BGTASK_TEXT,
    )] = __bgtask::joined(__BGTASK_TEXT);
    fn __bgtask_task(ask: __bgtask::Ask<'_>) -> ::core::option::Option<__bgtask::Body> {
        let _ = match ask {
            __bgtask::Ask::Start(cx) => cx,
            __bgtask::Ask::Requirements(_) => {
                return ::core::option::Option::None;
            }
        };
        ::core::option::Option::Some(
            __bgtask::from_closure::<
                __bgtask::ViaResult,
                anyhow::Result<()>,
                <nightly as __bgtask::TaskType>::Output,
            >(::std::boxed::Box::new(move || nightly())),
        )
    }
    __bgtask::submit! {
        __bgtask::Linked::new(& __BGTASK_ENTRY, __bgtask_task, ::core::any::type_name:: <
        () >,)
    }
};
