//! Every name that an expansion could lean on means something else here.
#![allow(dead_code, non_camel_case_types, unused_macros)]

struct Result;
struct Option;
struct Some;
struct None;
struct Ok;
struct Err;
struct String;
struct Box;
struct Vec;
struct Body;
struct Debug;
struct usize;
struct str;
mod std {}
mod core {}
mod bgtask {}
fn cx() {}
fn a0() {}
fn drop() {}
macro_rules! concat {
    () => {};
}
macro_rules! panic {
    () => {};
}
macro_rules! module_path {
    () => {};
}

const MINUTES: u32 = 30;

#[::bgtask::background_condition]
async fn fine(report: ::bgtask::ConditionReporter) {
    report.set(true);
}

#[::bgtask::background_task(
    trigger = time(MINUTES),
    condition = self::fine,
    name = "hostile.tick"
)]
async fn tick(task: ::bgtask::TaskContext) -> ::std::result::Result<(), ::std::string::String> {
    ::core::mem::drop(task);
    ::std::result::Result::Ok(())
}

#[::bgtask::background_task(trigger = application)]
fn asked(_: ::bgtask::Args<::std::string::String>) {}
