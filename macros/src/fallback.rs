//! What goes out beside errors: the function as written, and the type that its callers name, so
//! that a mistake in an attribute is no mistake in every caller as well.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::Type;

use crate::errors::Errors;
use crate::expand;
use crate::item::Item;
use crate::path::Runtime;
use crate::signature::{Output, Shape, is_generic};

pub(crate) fn task(item: &Item, handle: &Ident, runtime: &Runtime, errors: Errors) -> TokenStream {
    let errors = errors.tokens();
    let function = expand::function(item);
    // Where a method stands, a type cannot.
    if item.signature.receiver().is_some() {
        return quote!(#function #errors);
    }
    let shape = Shape::of(&item.signature);
    let known = |ty: Option<&Type>| {
        let ty = ty.filter(|ty| !is_generic(&item.signature, ty));
        ty.map_or_else(|| quote!(()), |ty| quote!(#ty))
    };
    let value = match &shape.output {
        Output::Nothing | Output::Alias(_) => None,
        Output::Value(ty) => Some(ty),
        Output::Result { value, .. } => Some(value),
    };
    let arguments = known(shape.arguments());
    let value = known(value);
    let private = &runtime.private(handle.span());
    let ty = expand::task_type(private, handle, arguments, value);
    let name = expand::named(private, handle, expand::qualified(handle));
    let requestable = expand::requestable(private, handle);
    let item = expand::handle(" A background task.".to_owned(), &item.visibility, handle);
    quote!(#function #item #ty #name #requestable #errors)
}
