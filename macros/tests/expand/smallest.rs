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
    use ::bgtask::__private as __bgtask;
    use __bgtask::words::trigger::time as _;
    impl __bgtask::TaskType for sync_mail {
        type Args = ();
        type Output = ();
    }
    impl __bgtask::NamedTask for sync_mail {
        const NAME: &'static ::core::primitive::str = ::core::concat!(
            ::core::module_path!(), "::sync_mail"
        );
    }
    fn __bgtask_task(_: __bgtask::Ask<'_>) -> __bgtask::Answer {
        __bgtask::from_future::<
            __bgtask::ViaValue,
            (),
            (),
        >(::std::boxed::Box::pin(sync_mail()))
    }
    __bgtask::register!(
        ::core::concat!(::core::module_path!(), "::sync_mail"), "::sync_mail",
        ",\"trigger\":\"time(15)\",\"macros\":\"0.1.0\"}\u{3}\n"; ()
    );
};
