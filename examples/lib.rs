//! A library with a task of its own: a program that mentions the library has the task.

use bgtask::prelude::*;

/// Says that the library's task runs in the program.
#[background_task(name = "library_greeting", trigger = startup, registration_group = "library")]
pub async fn library_greeting(task: TaskContext) -> String {
    format!("`{}` comes from a library", task.task())
}
