//! Programs that compile without a warning, in one binary; and what their attributes left in it.
#![deny(warnings)]

mod pass {
    mod allowed_lints;
    mod attributes;
    mod conditions;
    mod constants;
    mod details;
    mod entries;
    mod facade;
    mod groups;
    mod hostile_scope;
    mod included;
    mod macro_made;
    mod names;
    mod nested;
    mod returns;
    mod several;
}
