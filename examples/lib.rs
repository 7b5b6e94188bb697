//! A library with tasks of its own.
