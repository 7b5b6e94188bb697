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
impl ::facade::tasks::__private::TaskType for nightly {
    type Args = ();
    type Output = ();
}
impl ::facade::tasks::__private::NamedTask for nightly {
    const NAME: &'static ::core::primitive::str = ::core::concat!(
        ::core::module_path!(), "::", "nightly"
    );
}
#[allow(non_local_definitions, unused_imports, clippy::all, clippy::pedantic)]
const _: () = {
    let _ = ::core::option_env!("BGTASK_MACRO_DEBUG");
    use ::facade::tasks::words::{trigger::time as _, condition::internet as _};
    const __BGTASK_NUMBER_0: ::core::primitive::u32 = limits::MINUTES;
    const _: () = match ::facade::tasks::__private::model::HoleRule::TimeMinutes
        .check(__BGTASK_NUMBER_0)
    {
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
            const DIGITS: ::facade::tasks::__private::Digits = ::facade::tasks::__private::Digits::of(
                __BGTASK_NUMBER_0,
            );
            DIGITS.as_str()
        },
        ::core::concat!(")\",\"condition\":\"internet && "),
        <crate::vpn_up as ::facade::tasks::__private::ConditionType>::NAME,
        ::core::concat!("\",\"macros\":\"0.1.0\"}\u{3}\n"),
    ];
    #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__bgtask"))]
    #[cfg_attr(
        not(any(target_vendor = "apple", target_family = "wasm")),
        unsafe(link_section = ".bgtask")
    )]
    static __BGTASK_ENTRY: [::core::primitive::u8; ::facade::tasks::__private::joined_len(
        __BGTASK_TEXT,
    )] = ::facade::tasks::__private::joined(__BGTASK_TEXT);
    fn __bgtask_task(
        ask: ::facade::tasks::__private::Ask<'_>,
    ) -> ::core::option::Option<::facade::tasks::__private::Body> {
        let _ = match ask {
            ::facade::tasks::__private::Ask::Start(cx) => cx,
            ::facade::tasks::__private::Ask::Requirements(_) => {
                return ::core::option::Option::None;
            }
        };
        ::core::option::Option::Some(
            ::facade::tasks::__private::from_closure::<
                ::facade::tasks::__private::ViaResult,
                anyhow::Result<()>,
                <nightly as ::facade::tasks::__private::TaskType>::Output,
            >(::std::boxed::Box::new(move || nightly())),
        )
    }
    ::facade::tasks::__private::submit! {
        ::facade::tasks::__private::Linked::new(& __BGTASK_ENTRY, __bgtask_task,
        ::core::any::type_name:: < () >,)
    }
};
