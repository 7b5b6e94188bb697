//! The program's tasks, read from its executable.

#[test]
fn every_task_is_listed() {
    let program = env!("CARGO_BIN_EXE_bgtask-edition-2021");
    let manifest = bg::manifest::read_executable(program).unwrap();
    let tasks: Vec<_> = manifest
        .tasks()
        .iter()
        .map(|task| (task.name(), task.declaration.trigger.to_string()))
        .collect();
    assert_eq!(
        tasks,
        [
            ("bgtask_edition_2021::sync", "time(20)".to_owned()),
            ("resize", "application".to_owned()),
        ]
    );
}
