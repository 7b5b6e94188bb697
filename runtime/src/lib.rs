//! bgtask.
