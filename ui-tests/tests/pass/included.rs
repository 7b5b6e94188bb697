//! A task in a file that is included.
use bgtask::{NamedTask, background_task};

include!("included/task.in.rs");

#[test]
fn its_path_is_that_of_the_module_it_is_in() {
    assert!(from_another_file::NAME.ends_with("::pass::included::from_another_file"));
}
