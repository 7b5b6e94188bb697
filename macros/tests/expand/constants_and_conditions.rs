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
    use ::facade::tasks::__private as __bgtask;
    use __bgtask::words::{trigger::time as _, condition::internet as _};
    impl __bgtask::TaskType for nightly {
        type Args = ();
        type Output = ();
    }
    impl __bgtask::NamedTask for nightly {
        const NAME: &'static ::core::primitive::str = ::core::concat!(
            ::core::module_path!(), "::nightly"
        );
    }
    const __BGTASK_NUMBER_0: ::core::primitive::u32 = limits::MINUTES;
    const _: () = match __bgtask::model::HoleRule::TimeMinutes.check(__BGTASK_NUMBER_0) {
        ::core::option::Option::Some(rule) => {
            ::core::panic!("{}", rule.message_with_help)
        }
        ::core::option::Option::None => {}
    };
    fn __bgtask_task(_: __bgtask::Ask<'_>) -> __bgtask::Answer {
        __bgtask::from_closure::<
            __bgtask::ViaResult,
            anyhow::Result<()>,
            (),
        >(::std::boxed::Box::new(move || nightly()))
    }
    __bgtask::register!(
        ::core::concat!(::core::module_path!(), "::nightly"), "::nightly",
        ",\"trigger\":\"time(", { const DIGITS : __bgtask::Digits =
        __bgtask::Digits::of(__BGTASK_NUMBER_0); DIGITS.as_str() },
        ")\",\"condition\":\"internet && ", < crate ::vpn_up as __bgtask::ConditionType >
        ::NAME, "\",\"macros\":\"0.1.0\"}\u{3}\n"; ()
    );
};
