//! What expansions name. Not public API: it changes without notice.

pub use crate::entry::{Identity, no_setup, run_main};
pub use crate::{
    body::{
        Answer, Ask, ConditionEnd, ConditionFuture, ConditionType, DeviceTask, Linked,
        LinkedCondition, NamedTask, Requestable, Return, TaskType, ViaResult, ViaValue,
        condition_future, from_closure, from_future, refused,
    },
    extract::{Parameter, Requirements, arguments, kind, require_arguments},
    monitor::ConditionReporter,
    task::TaskContext,
    words,
};
pub use bgtask_model as model;
pub use inventory::submit;

pub use crate::__bgtask_register as register;

/// What each task leaves in the program: its entry in the executable's section, and the node of
/// its registration. It stands here because the compiler writes it out faster than an attribute.
///
/// The entry is the name, the function's path in its module, and what follows, as JSON text; behind
/// the first piece of that there may be constants, which `concat!` cannot take. It is not
/// `#[used]`: the linker keeps it exactly if it keeps the registration that refers to it. The two
/// forms share no step, because each step costs a check of every task. Not public API.
#[doc(hidden)]
#[macro_export]
macro_rules! __bgtask_register {
    ($name:expr, $function:literal, $rest:literal; $output:ty) => {
        const __BGTASK_TEXT: &::core::primitive::str = ::core::concat!(
            "\u{2}BGTASK1\u{2}{\"name\":\"",
            $name,
            "\",\"function\":\"",
            ::core::module_path!(),
            $function,
            "\",\"crate\":\"",
            ::core::env!("CARGO_PKG_NAME"),
            "\",\"crate_version\":\"",
            ::core::env!("CARGO_PKG_VERSION"),
            "\"",
            $rest
        );
        #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__bgtask"))]
        #[cfg_attr(
            not(any(target_vendor = "apple", target_family = "wasm")),
            unsafe(link_section = ".bgtask")
        )]
        static __BGTASK_ENTRY: [::core::primitive::u8; __BGTASK_TEXT.len()] =
            $crate::__private::bytes(__BGTASK_TEXT);
        $crate::__private::submit! {
            $crate::__private::Linked {
                entry: &__BGTASK_ENTRY,
                task: __bgtask_task,
                output: ::core::any::type_name::<$output>,
            }
        }
    };
    ($name:expr, $function:literal, $rest:literal, $($more:expr),+; $output:ty) => {
        const __BGTASK_TEXTS: &[&::core::primitive::str] = &[
            ::core::concat!(
                "\u{2}BGTASK1\u{2}{\"name\":\"",
                $name,
                "\",\"function\":\"",
                ::core::module_path!(),
                $function,
                "\",\"crate\":\"",
                ::core::env!("CARGO_PKG_NAME"),
                "\",\"crate_version\":\"",
                ::core::env!("CARGO_PKG_VERSION"),
                "\"",
                $rest
            ),
            $($more),+
        ];
        #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__bgtask"))]
        #[cfg_attr(
            not(any(target_vendor = "apple", target_family = "wasm")),
            unsafe(link_section = ".bgtask")
        )]
        static __BGTASK_ENTRY: [::core::primitive::u8;
            $crate::__private::joined_len(__BGTASK_TEXTS)] =
            $crate::__private::joined(__BGTASK_TEXTS);
        $crate::__private::submit! {
            $crate::__private::Linked {
                entry: &__BGTASK_ENTRY,
                task: __bgtask_task,
                output: ::core::any::type_name::<$output>,
            }
        }
    };
}

/// How many tasks the linker kept, without a look at them: what their collection alone costs.
#[must_use]
pub fn linked() -> usize {
    inventory::iter::<Linked>().count()
}

/// The bytes of a text, whose length is `N`.
#[must_use]
pub const fn bytes<const N: usize>(text: &str) -> [u8; N] {
    match text.as_bytes().first_chunk() {
        Some(bytes) => *bytes,
        None => unreachable!(),
    }
}

/// Joins texts at compile time, where `concat!` cannot because a constant is among them.
#[must_use]
pub const fn joined<const N: usize>(texts: &[&str]) -> [u8; N] {
    let mut out = [0; N];
    let mut rest = out.as_mut_slice();
    let mut index = 0;
    while index < texts.len() {
        let (here, behind) = rest.split_at_mut(texts[index].len());
        here.copy_from_slice(texts[index].as_bytes());
        rest = behind;
        index += 1;
    }
    out
}

/// The length that [`joined`] needs.
#[must_use]
pub const fn joined_len(texts: &[&str]) -> usize {
    let (mut index, mut len) = (0, 0);
    while index < texts.len() {
        len += texts[index].len();
        index += 1;
    }
    len
}

/// A number's decimal digits at compile time.
#[derive(Debug)]
pub struct Digits {
    digits: [u8; 10],
    from: usize,
}

impl Digits {
    /// The digits of `number`.
    #[must_use]
    pub const fn of(mut number: u32) -> Self {
        let mut digits = [b'0'; 10];
        let mut from = 10;
        loop {
            from -= 1;
            digits[from] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return Self { digits, from };
            }
        }
    }

    /// The text.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        let (_, tail) = self.digits.split_at(self.from);
        match std::str::from_utf8(tail) {
            Ok(text) => text,
            Err(_) => "",
        }
    }
}
