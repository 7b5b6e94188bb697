//! Names that are not plain ASCII words.
use bgtask::{NamedTask, background_task};

#[background_task(trigger = startup)]
async fn r#type() {}

#[background_task(trigger = startup)]
async fn größe() {}

#[background_task(trigger = startup, name = "täglich \"push\" \\ {}", description = "line\nline")]
async fn quoted() {}

mod sync {}

#[background_task(trigger = startup, handle = Sync)]
async fn sync() {}

#[test]
fn names_are_kept() {
    assert!(r#type::NAME.ends_with("::names::r#type"));
    assert!(größe::NAME.ends_with("::names::größe"));
    assert_eq!(quoted::NAME, "täglich \"push\" \\ {}");
    assert!(Sync::NAME.ends_with("::names::sync"));
}
