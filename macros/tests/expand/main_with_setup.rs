fn main() -> ::std::process::ExitCode {
    #[allow(clippy::unused_async)]
    async fn main(app: App) -> Result<(), Failure> {
        body
    }
    ::bgtask::__private::run_main(
        ::bgtask::__private::Identity {
            package: ::core::env!("CARGO_PKG_NAME"),
            binary: ::core::option_env!("CARGO_BIN_NAME"),
            version: ::core::env!("CARGO_PKG_VERSION"),
        },
        setup,
        |app| async move { ::std::process::Termination::report(main(app).await) },
    )
}
