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
    fn __bgtask_task(ask: __bgtask::Ask<'_>) -> __bgtask::Answer {
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
            ::core::result::Result::Err(error) => return __bgtask::refused(error),
        };
        let a1 = match __bgtask::arguments::<make>(cx) {
            ::core::result::Result::Ok(value) => value,
            ::core::result::Result::Err(error) => return __bgtask::refused(error),
        };
        let a2 = match <State<
            Db,
        > as __bgtask::Parameter<__bgtask::kind::Requested>>::extract(cx) {
            ::core::result::Result::Ok(value) => value,
            ::core::result::Result::Err(error) => return __bgtask::refused(error),
        };
        __bgtask::from_future::<
            __bgtask::ViaResult,
            Result<Summary, Failure>,
            Summary,
        >(::std::boxed::Box::pin(make(a0, a1, a2)))
    }
    __bgtask::register!(
        "thumb nails", "::make",
        ",\"description\":\"Makes thumbnails.\",\"trigger\":\"application\",\"host\":\"process(\\\"media\\\")\",\"memory\":\"512MiB\",\"macros\":\"0.1.0\"}\u{3}\n";
        ()
    );
};
