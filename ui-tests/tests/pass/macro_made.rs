//! Tasks written by a macro of the user's.
use bgtask::{NamedTask, TaskType, background_task};

macro_rules! task {
    ($name:ident, $trigger:expr, $jitter:literal, $ty:ty, $value:expr) => {
        #[background_task(trigger = $trigger, jitter = $jitter)]
        async fn $name() -> $ty {
            $value
        }
    };
}

task!(first, every("10m"), "1s", u8, 1);
task!(second, time(15), "2s", Result<String, std::io::Error>, Ok(String::new()));

#[test]
fn both_are_tasks() {
    fn output<T: NamedTask + TaskType<Output = O>, O>() -> &'static str {
        T::NAME
    }
    assert!(output::<first, u8>().ends_with("::first"));
    assert!(output::<second, String>().ends_with("::second"));
}
