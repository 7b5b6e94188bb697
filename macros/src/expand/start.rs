//! The function that the runtime calls: to start a run, and to learn what one needs.

use bgtask_model::Trigger;
use proc_macro2::{Ident, Span};
use quote::{ToTokens, format_ident};

use super::handle::value;
use super::{output, private};
use crate::code::{code, piece};
use crate::path::generated;
use crate::signature::{self, Output, Parameter};
use crate::task::{Entry, Task};

/// ```text
/// fn __bgtask_task(ask: Ask) -> Answer {
///     let cx = match ask {
///         Ask::Start(cx) => cx,
///         Ask::Requirements(found) => {
///             <State<Db> as Parameter<kind::Timed>>::require(found);
///             return None;
///         }
///     };
///     let a0 = match <State<Db> as Parameter<kind::Timed>>::extract(cx) {
///         Ok(value) => value,
///         Err(error) => return refused(error),
///     };
///     from_future::<ViaResult, Result<(), Error>, ()>(Box::pin(sync(a0)))
/// }
/// ```
/// Without parameters it is the last line only: to make a body and not to start it does nothing.
pub(super) fn start(task: &Task, entry: &Entry) -> impl ToTokens {
    let private = private(Span::call_site());
    let span = generated(Span::call_site());
    let parameters = &task.shape.parameters;
    let ask = if parameters.is_empty() { "_" } else { "ask" };
    let ask = Ident::new(ask, span);
    let asked = (!parameters.is_empty()).then(|| asked(task, entry));
    let body = body(task);
    code! {span=>
        fn __bgtask_task(#ask: #private::Ask<'_>) -> #private::Answer {
            #asked
            #body
        }
    }
}

/// What the parameters need, or their values.
fn asked(task: &Task, entry: &Entry) -> impl ToTokens {
    let private = private(Span::call_site());
    let span = generated(Span::call_site());
    let parameters = &task.shape.parameters;
    let requires = piece(move |out| {
        for parameter in parameters {
            let require = extraction(task, entry, parameter, ["require", "require_arguments"]);
            code!(span=> #require(found);).to_tokens(out);
        }
    });
    let refuse = private.clone();
    let extracted = piece(move |out| {
        for (index, parameter) in parameters.iter().enumerate() {
            let extract = extraction(task, entry, parameter, ["extract", "arguments"]);
            let (local, refuse) = (local(index), &refuse);
            let code = code! {span=>
                let #local = match #extract(cx) {
                    ::core::result::Result::Ok(value) => value,
                    ::core::result::Result::Err(error) => return #refuse::refused(error),
                };
            };
            code.to_tokens(out);
        }
    });
    code! {span=>
        let cx = match ask {
            #private::Ask::Start(cx) => cx,
            #private::Ask::Requirements(found) => {
                #requires
                return ::core::option::Option::None;
            }
        };
        #extracted
    }
}

/// The value of a parameter.
fn local(index: usize) -> Ident {
    format_ident!("a{index}", span = Span::mixed_site())
}

/// One of the functions of a parameter: what it is called in the trait, and what for the value of a
/// request.
fn extraction(
    task: &Task,
    entry: &Entry,
    parameter: &Parameter,
    [function, of_request]: [&'static str; 2],
) -> impl ToTokens {
    let ty = &parameter.ty;
    let kind = kind(&entry.drafted.declaration.trigger);
    let (private, span) = (private(parameter.span), generated(parameter.span));
    let is_request = parameter.arguments.is_some() && is_given_arguments(kind);
    piece(move |out| {
        let private = &private;
        if is_request {
            let (function, handle) = (Ident::new(of_request, span), &task.handle);
            code!(span=> #private::#function::<#handle>).to_tokens(out);
        } else {
            let (function, kind) = (Ident::new(function, span), Ident::new(kind, span));
            let code = code!(span=> <#ty as #private::Parameter<#private::kind::#kind>>::#function);
            code.to_tokens(out);
        }
    })
}

/// The call. A wrong return type is shown there, a future that is not `Send` at the name.
fn body(task: &Task) -> impl ToTokens {
    let shape = &task.shape;
    let function = &shape.name;
    let at = match &shape.output {
        Output::Nothing => shape.name.span(),
        Output::Value(ty) | Output::Result { ty, .. } | Output::Alias(ty) => signature::span(ty),
    };
    let private = private(at);
    let name = generated(function.span());
    let span = generated(at);
    let via = match &shape.output {
        Output::Nothing | Output::Value(_) => "ViaValue",
        Output::Result { .. } | Output::Alias(_) => "ViaResult",
    };
    let via = Ident::new(via, span);
    let (output, value) = (output(shape), value(&shape.output));
    let locals = piece(move |out| {
        for index in 0..shape.parameters.len() {
            if index > 0 {
                code!(name=> ,).to_tokens(out);
            }
            local(index).to_tokens(out);
        }
    });
    let call = code!(name=> #function(#locals));
    let is_async = shape.is_async;
    let from = if is_async {
        "from_future"
    } else {
        "from_closure"
    };
    let from = Ident::new(from, span);
    let boxed = piece(move |out| {
        let call = &call;
        if is_async {
            code!(span=> ::std::boxed::Box::pin(#call)).to_tokens(out);
        } else {
            code!(span=> ::std::boxed::Box::new(move || #call)).to_tokens(out);
        }
    });
    code!(span=> #private::#from::<#private::#via, #output, #value>(#boxed))
}

/// What a trigger gives its task, as `bgtask::__private::kind` names it.
pub(super) const fn kind(trigger: &Trigger) -> &'static str {
    use bgtask_model::SystemEvent::{InternetAvailable, NetworkStateChange};
    match trigger {
        trigger if trigger.is_timed() => "Timed",
        Trigger::Application | Trigger::MediaProcessing | Trigger::Custom { .. } => "Requested",
        Trigger::System {
            event: InternetAvailable | NetworkStateChange,
            ..
        } => "Network",
        Trigger::Files { .. } => "Files",
        Trigger::Device { .. } => "Device",
        Trigger::DeviceUse | Trigger::DeviceServicing => "DeviceUse",
        Trigger::Push { .. } => "Push",
        Trigger::ToastAction => "Toast",
        Trigger::AppService { .. } => "Service",
        Trigger::Socket { .. } | Trigger::ControlChannel { .. } => "Socket",
        _ => "Plain",
    }
}

/// Whether tasks of this kind are given the arguments of a request.
pub(super) fn is_given_arguments(kind: &str) -> bool {
    matches!(kind, "Requested" | "DeviceUse")
}
