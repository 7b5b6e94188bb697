//! The runtime behind another name.
mod framework {
    pub(crate) use bgtask as tasks;
    pub(crate) use bgtask::{background_condition, background_task};
}

use framework::tasks::{ConditionReporter, NamedTask};

#[framework::background_task(trigger = startup, crate = crate::pass::facade::framework::tasks)]
async fn by_facade() {}

#[framework::background_condition(crate = crate::pass::facade::framework::tasks)]
async fn condition_by_facade(report: ConditionReporter) {
    report.set(true);
}

#[test]
fn the_default_name_is_the_path() {
    assert!(by_facade::NAME.ends_with("::pass::facade::by_facade"));
}
