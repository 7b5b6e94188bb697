//! What members of registration groups run in this process instead of their own bodies.

use std::{
    collections::HashMap,
    fmt,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
};

use crate::{TaskContext, body::BodyResult};

/// What a group's members run.
pub(crate) type GroupHandler =
    Arc<dyn Fn(TaskContext) -> Pin<Box<dyn Future<Output = BodyResult> + Send>> + Send + Sync>;

/// The handlers of this process, by the group's id. Clones are the same handlers.
#[derive(Clone, Default)]
pub(crate) struct GroupHandlers(Arc<RwLock<HashMap<String, GroupHandler>>>);

impl GroupHandlers {
    /// The last one of a group counts.
    pub(crate) fn set(&self, group: &str, handler: GroupHandler) {
        let mut handlers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        handlers.insert(group.to_owned(), handler);
    }

    pub(super) fn of(&self, group: Option<&str>) -> Option<GroupHandler> {
        let handlers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        handlers.get(group?).cloned()
    }
}

impl fmt::Debug for GroupHandlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handlers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_set().entries(handlers.keys()).finish()
    }
}
