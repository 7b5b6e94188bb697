#[allow(clippy::unused_async)]
/// Makes thumbnails.
pub(crate) async fn make(
    task: TaskContext,
    Args(job): Args<Job>,
    State(db): State<Db>,
) -> Result<Summary, Failure> {
    body
}
/// The background task `make` as a type: `app.task::<make>()`.
#[allow(
    dead_code,
    missing_debug_implementations,
    non_camel_case_types,
    unreachable_pub,
    clippy::empty_structs_with_brackets,
    clippy::exhaustive_structs
)]
pub(crate) struct make {}
#[allow(non_local_definitions, unused_imports, clippy::all, clippy::pedantic)]
const _: () = {
    let _ = ::core::option_env!("BGTASK_MACRO_DEBUG");
    use ::bgtask::__private as __bgtask;
    use __bgtask::words::trigger::application as _;
    impl __bgtask::TaskType for make {
        type Args = Job;
        type Output = Summary;
    }
    impl __bgtask::NamedTask for make {
        const NAME: &'static ::core::primitive::str = "thumb nails";
    }
    impl __bgtask::Requestable for make {}
    #[doc(hidden)]
    #[macro_export]
    macro_rules! two_tasks_are_named__thumb_nails_39dbc908__choose_another_name {
        () => {};
    }
    const __BGTASK_TEXT: &::core::primitive::str = ::core::concat!(
        "\u{2}BGTASK1\u{2}{\"name\":\"thumb nails\",\"function\":\"",
        ::core::module_path!(), "::make\",\"crate\":\"", ::core::env!("CARGO_PKG_NAME"),
        "\",\"crate_version\":\"", ::core::env!("CARGO_PKG_VERSION"),
        "\",\"description\":\"Makes thumbnails.\",\"trigger\":\"application\",\"host\":\"process(\\\"media\\\")\",\"memory\":\"512MiB\",\"macros\":\"0.1.0\"}\u{3}\n"
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
        let cx = match ask {
            __bgtask::Ask::Start(cx) => cx,
            __bgtask::Ask::Requirements(found) => {
                <TaskContext as __bgtask::Parameter<
                    __bgtask::kind::Requested,
                >>::require(found);
                __bgtask::require_arguments::<make>(found);
                <State<
                    Db,
                > as __bgtask::Parameter<__bgtask::kind::Requested>>::require(found);
                return ::core::option::Option::None;
            }
        };
        let a0 = match <TaskContext as __bgtask::Parameter<
            __bgtask::kind::Requested,
        >>::extract(cx) {
            ::core::result::Result::Ok(value) => value,
            ::core::result::Result::Err(error) => {
                return ::core::option::Option::Some(__bgtask::Body::Refused(error));
            }
        };
        let a1 = match __bgtask::arguments::<make>(cx) {
            ::core::result::Result::Ok(value) => value,
            ::core::result::Result::Err(error) => {
                return ::core::option::Option::Some(__bgtask::Body::Refused(error));
            }
        };
        let a2 = match <State<
            Db,
        > as __bgtask::Parameter<__bgtask::kind::Requested>>::extract(cx) {
            ::core::result::Result::Ok(value) => value,
            ::core::result::Result::Err(error) => {
                return ::core::option::Option::Some(__bgtask::Body::Refused(error));
            }
        };
        ::core::option::Option::Some(
            __bgtask::from_future::<
                __bgtask::ViaResult,
                Result<Summary, Failure>,
                <make as __bgtask::TaskType>::Output,
            >(::std::boxed::Box::pin(make(a0, a1, a2))),
        )
    }
    __bgtask::submit! {
        __bgtask::Linked::new(& __BGTASK_ENTRY, __bgtask_task, ::core::any::type_name:: <
        () >,)
    }
};
