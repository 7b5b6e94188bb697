//! A task inside a function's body.
#![deny(warnings)]
use bgtask::NamedTask;

#[test]
fn a_nested_function_is_a_task() {
    #[bgtask::background_task(trigger = startup, name = "nested.explicit")]
    async fn inner() {}
    #[bgtask::background_task(trigger = startup)]
    async fn other() {}
    assert_eq!(inner::NAME, "nested.explicit");
    assert!(other::NAME.ends_with("::nested::other"));
}
