//! The function that the runtime calls: to start a run, and to learn what one needs.

use bgtask_model::Trigger;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::spanned::Spanned;

use super::{output, private};
use crate::path::generated;
use crate::signature::{Output, Parameter};
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
///     from_future::<ViaResult, Result<(), Error>, <sync as TaskType>::Output>(Box::pin(sync(a0)))
/// }
/// ```
/// Without parameters it is the last line only: to make a body and not to start it does nothing.
pub(super) fn start(task: &Task, entry: &Entry) -> TokenStream {
    let private = private(Span::call_site());
    let parameters: Vec<_> = task
        .shape
        .parameters
        .iter()
        .map(|parameter| extraction(task, entry, parameter))
        .collect();
    let locals: Vec<Ident> = (0..parameters.len())
        .map(|index| format_ident!("a{index}", span = Span::mixed_site()))
        .collect();
    let span = generated(Span::call_site());
    let extracted = parameters.iter().zip(&locals).map(|(parameter, local)| {
        let extract = &parameter.extract;
        quote_spanned! {span=>
            let #local = match #extract(cx) {
                ::core::result::Result::Ok(value) => value,
                ::core::result::Result::Err(error) => return #private::refused(error),
            };
        }
    });
    let requires = parameters.iter().map(|parameter| &parameter.require);
    let asked = (!parameters.is_empty()).then(|| {
        quote_spanned! {span=>
            let cx = match ask {
                #private::Ask::Start(cx) => cx,
                #private::Ask::Requirements(found) => {
                    #(#requires(found);)*
                    return ::core::option::Option::None;
                }
            };
        }
    });
    let ask = if parameters.is_empty() { "_" } else { "ask" };
    let ask = Ident::new(ask, span);
    let body = body(task, &locals);
    quote_spanned! {span=>
        fn __bgtask_task(#ask: #private::Ask<'_>) -> #private::Answer {
            #asked
            #(#extracted)*
            #body
        }
    }
}

/// The two functions of one parameter.
struct Extraction {
    extract: TokenStream,
    require: TokenStream,
}

fn extraction(task: &Task, entry: &Entry, parameter: &Parameter) -> Extraction {
    let ty = &parameter.ty;
    let kind = kind(&entry.drafted.declaration.trigger);
    let private = private(ty.span());
    let span = generated(ty.span());
    if parameter.arguments.is_some() && kind == "Requested" {
        let handle = &task.handle;
        return Extraction {
            extract: quote_spanned!(span=> #private::arguments::<#handle>),
            require: quote_spanned!(span=> #private::require_arguments::<#handle>),
        };
    }
    let kind = Ident::new(kind, span);
    let parameter = quote_spanned!(span=> <#ty as #private::Parameter<#private::kind::#kind>>);
    Extraction {
        extract: quote_spanned!(span=> #parameter::extract),
        require: quote_spanned!(span=> #parameter::require),
    }
}

/// The call. A wrong return type is shown there, a future that is not `Send` at the name.
fn body(task: &Task, locals: &[Ident]) -> TokenStream {
    let shape = &task.shape;
    let (function, handle) = (&shape.name, &task.handle);
    let at = match &shape.output {
        Output::Nothing => shape.name.span(),
        Output::Value(ty) | Output::Result { ty, .. } | Output::Alias(ty) => ty.span(),
    };
    let private = private(at);
    let output = output(shape);
    let name = generated(function.span());
    let span = generated(at);
    let via = match &shape.output {
        Output::Nothing | Output::Value(_) => quote_spanned!(span=> #private::ViaValue),
        Output::Result { .. } | Output::Alias(_) => quote_spanned!(span=> #private::ViaResult),
    };
    let value = quote_spanned!(span=> <#handle as #private::TaskType>::Output);
    let call = quote_spanned!(name=> #function(#(#locals),*));
    if shape.is_async {
        quote_spanned! {span=>
            #private::from_future::<#via, #output, #value>(::std::boxed::Box::pin(#call))
        }
    } else {
        quote_spanned! {span=>
            #private::from_closure::<#via, #output, #value>(::std::boxed::Box::new(move || #call))
        }
    }
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
        _ => "Plain",
    }
}
