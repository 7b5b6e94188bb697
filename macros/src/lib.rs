//! bgtask attributes.
