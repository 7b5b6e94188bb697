//! What a function's signature says, and the rules it has to keep.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    FnArg, GenericArgument, GenericParam, PathArguments, ReturnType, Safety, Signature, Type,
};

use crate::errors::Errors;

/// What generated code needs of a signature.
pub(crate) struct Shape {
    pub(crate) name: Ident,
    pub(crate) is_async: bool,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) output: Output,
}

/// One parameter's type.
pub(crate) struct Parameter {
    pub(crate) ty: Type,
    /// `T` of `Args<T>`.
    pub(crate) arguments: Option<Type>,
}

/// What the function returns.
#[expect(clippy::large_enum_variant, reason = "one of it lives at a time")]
pub(crate) enum Output {
    Nothing,
    Value(Type),
    /// `Result<T, E>`, or an alias of it with the value first.
    Result {
        ty: Type,
        value: Type,
    },
    /// `MyResult`: only the compiler knows its value.
    Alias(Type),
}

impl Shape {
    pub(crate) fn of(signature: &Signature) -> Self {
        let typed = signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(typed) => Some(typed.ty.as_ref()),
            FnArg::Receiver(_) => None,
        });
        let parameters = typed.map(|ty| Parameter {
            ty: ty.clone(),
            arguments: first_generic(ty, |name| name == "Args"),
        });
        Self {
            name: signature.ident.clone(),
            is_async: signature.asyncness.is_some(),
            parameters: parameters.collect(),
            output: Output::of(&signature.output),
        }
    }

    /// `T` of the first `Args<T>`.
    pub(crate) fn arguments(&self) -> Option<&Type> {
        self.parameters
            .iter()
            .find_map(|parameter| parameter.arguments.as_ref())
    }
}

impl Output {
    fn of(output: &ReturnType) -> Self {
        let ReturnType::Type(_, ty) = output else {
            return Self::Nothing;
        };
        let ty = ty.as_ref().clone();
        let is_result = |name: &str| name.ends_with("Result");
        if let Some(value) = first_generic(&ty, is_result) {
            return Self::Result { ty, value };
        }
        if last_segment(&ty).is_some_and(|segment| is_result(&segment.ident.to_string())) {
            return Self::Alias(ty);
        }
        Self::Value(ty)
    }
}

fn last_segment(ty: &Type) -> Option<&syn::PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        // A type that a `macro_rules!` macro passed on, and one in parentheses.
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        _ => None,
    }
}

fn first_generic(ty: &Type, name: impl Fn(&str) -> bool) -> Option<Type> {
    let segment = last_segment(ty)?;
    let PathArguments::AngleBracketed(generics) = &segment.arguments else {
        return None;
    };
    let first = generics.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty.clone()),
        _ => None,
    })?;
    name(&segment.ident.to_string()).then_some(first)
}

/// Pushes every rule that the signature of a task or a condition breaks; `what` is which of them.
pub(crate) fn check(signature: &Signature, what: &str, errors: &mut Errors) {
    if let Some(receiver) = signature.receiver() {
        errors.push(
            receiver,
            format!("a {what} has no `self`\n  help: move the function out of the `impl`; what it needs of its app is a parameter `State<T>`"),
        );
    }
    for generic in &signature.generics.params {
        match generic {
            GenericParam::Lifetime(lifetime) => errors.push(
                lifetime,
                format!("a {what} has no lifetime parameters: it owns what it works with\n  help: remove `{}` and take values instead of references", lifetime.lifetime),
            ),
            GenericParam::Type(syn::TypeParam { ident, .. })
            | GenericParam::Const(syn::ConstParam { ident, .. }) => errors.push(
                generic,
                format!("a {what} is not generic: nobody calls it who could choose `{ident}`\n  help: write the type itself, or a function for each type"),
            ),
        }
    }
    if let Some(clause) = &signature.generics.where_clause {
        errors.push(
            clause,
            format!(
                "a {what} has no `where` clause: it has nothing generic to bound\n  help: remove it"
            ),
        );
    }
    for input in &signature.inputs {
        let FnArg::Typed(typed) = input else { continue };
        check_parameter(&typed.ty, what, errors);
    }
    if let Some(token) = &signature.constness {
        errors.push(
            token,
            format!(
                "a {what} is no `const fn`: it runs when its time comes\n  help: remove `const`"
            ),
        );
    }
    if let Safety::Unsafe(token) = &signature.safety {
        errors.push(token, format!("a {what} is not `unsafe`: nobody calls it who could keep its contract\n  help: remove `unsafe`, and use `unsafe {{ … }}` inside"));
    }
    if let Some(abi) = &signature.abi {
        errors.push(abi, format!("a {what} is a Rust function, without `extern`\n  help: remove it, and call the function from the other one"));
    }
    if let Some(variadic) = &signature.variadic {
        errors.push(
            variadic,
            format!("a {what} has a fixed number of parameters\n  help: remove `...`"),
        );
    }
    if let ReturnType::Type(_, ty) = &signature.output {
        match ty.as_ref() {
            Type::ImplTrait(_) => errors.push(
                ty,
                format!("a {what} names the type it returns\n  help: write the type itself instead of `impl …`"),
            ),
            Type::Never(_) => errors.push(
                ty,
                format!("a {what} does not return `!`\n  help: remove it: a body without an end may stand in a function that returns nothing"),
            ),
            Type::Reference(_) => errors.push(
                ty,
                format!("a {what} returns a value: nothing it could refer to lives longer\n  help: return an owned value, such as `String` instead of `&str`"),
            ),
            _ => {}
        }
    }
}

fn check_parameter(ty: &Type, what: &str, errors: &mut Errors) {
    match ty {
        Type::ImplTrait(_) => errors.push(
            ty,
            format!("a {what} names the types of its parameters; `impl …` is generic\n  help: write the type itself"),
        ),
        Type::Reference(_) => errors.push(
            ty,
            format!("a {what} owns its parameters: it runs later, when the caller is gone\n  help: take the value itself, without `&`"),
        ),
        _ => {}
    }
}

/// Whether one of the generic parameters occurs in a type, which then means nothing outside the
/// function.
pub(crate) fn is_generic(signature: &Signature, ty: &Type) -> bool {
    fn contains(tokens: TokenStream, name: &Ident) -> bool {
        tokens.into_iter().any(|tree| match tree {
            TokenTree::Ident(ident) => ident == *name,
            TokenTree::Group(group) => contains(group.stream(), name),
            _ => false,
        })
    }
    let tokens = || ty.to_token_stream();
    let impl_or_self = ["impl", "Self"]
        .iter()
        .any(|word| contains(tokens(), &Ident::new(word, proc_macro2::Span::call_site())));
    impl_or_self
        || matches!(ty, Type::Reference(_) | Type::Never(_))
        || signature
            .generics
            .params
            .iter()
            .any(|generic| match generic {
                GenericParam::Lifetime(lifetime) => contains(tokens(), &lifetime.lifetime.ident),
                GenericParam::Type(parameter) => contains(tokens(), &parameter.ident),
                GenericParam::Const(parameter) => contains(tokens(), &parameter.ident),
            })
}
