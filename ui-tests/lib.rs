//! Cases are in tests/.
