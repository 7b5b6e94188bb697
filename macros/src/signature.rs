//! What a function's signature says, and the rules it has to keep.

use bgtask_model::Rule;
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned as _;
use syn::{
    ConstParam, FnArg, GenericArgument, GenericParam, LifetimeParam, PathArguments, ReturnType,
    Safety, Signature, Type, TypeParam, TypePath,
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
    pub(crate) span: Span,
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
            span: span(ty),
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

/// Where a type is shown: from its first token to its last. A plain path, which most are, is not
/// written out for that.
pub(crate) fn span(ty: &Type) -> Span {
    if let Type::Path(TypePath {
        qself: None, path, ..
    }) = ty
        && path.leading_colon.is_none()
        && let (Some(first), Some(last)) = (path.segments.first(), path.segments.last())
    {
        let from = first.ident.span();
        let to = match &last.arguments {
            PathArguments::None => last.ident.span(),
            PathArguments::AngleBracketed(generics) => generics.gt_token.span,
            PathArguments::Parenthesized(_) => return ty.span(),
        };
        return from.join(to).unwrap_or(from);
    }
    ty.span()
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
    if !name(&segment.ident.to_string()) {
        return None;
    }
    let PathArguments::AngleBracketed(generics) = &segment.arguments else {
        return None;
    };
    generics.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty.clone()),
        _ => None,
    })
}

/// What a function is, for the sentences.
pub(crate) const TASK: &str = "background task";
pub(crate) const CONDITION: &str = "background condition";

/// Pushes every rule that the signature of a task or a condition breaks; `what` is which of them.
pub(crate) fn check(signature: &Signature, what: &str, errors: &mut Errors) {
    if let Some(receiver) = signature.receiver() {
        let rule = Rule::new("receiver", format!("a {what} has no `self`"));
        let help = match what {
            TASK => {
                "move the function out of the `impl`; what it needs of its app is a parameter `State<T>`"
            }
            _ => "move the function out of the `impl`",
        };
        errors.push(receiver, &rule.help(help));
    }
    for generic in &signature.generics.params {
        check_generic(generic, what, errors);
    }
    if let Some(clause) = &signature.generics.where_clause {
        let rule = Rule::new(
            "where_clause",
            format!("a {what} has no `where` clause: it has nothing generic to bound"),
        );
        errors.push(clause, &rule.help("remove it"));
    }
    for input in &signature.inputs {
        let FnArg::Typed(typed) = input else { continue };
        check_parameter(&typed.ty, what, errors);
    }
    if let Some(token) = &signature.constness {
        let rule = Rule::new(
            "const_fn",
            format!("a {what} is no `const fn`: it runs when its time comes"),
        );
        errors.push(token, &rule.help("remove `const`"));
    }
    if let Safety::Unsafe(token) = &signature.safety {
        let rule = Rule::new(
            "unsafe_fn",
            format!("a {what} is not `unsafe`: nobody calls it who could keep its contract"),
        );
        let help = "remove `unsafe`, and use `unsafe { … }` inside";
        errors.push(token, &rule.help(help));
    }
    if let Some(abi) = &signature.abi {
        let rule = Rule::new(
            "extern_fn",
            format!("a {what} is a Rust function, without `extern`"),
        );
        let help = "remove it, and call the function from the other one";
        errors.push(abi, &rule.help(help));
    }
    if let ReturnType::Type(_, ty) = &signature.output {
        check_output(ty, what, errors);
    }
}

fn check_generic(generic: &GenericParam, what: &str, errors: &mut Errors) {
    let rule = match generic {
        GenericParam::Lifetime(LifetimeParam { lifetime, .. }) => Rule::new(
            "lifetime",
            format!("a {what} has no lifetime parameters: it owns what it works with"),
        )
        .help(format!(
            "remove `{lifetime}` and take values instead of references"
        )),
        GenericParam::Type(TypeParam { ident, .. })
        | GenericParam::Const(ConstParam { ident, .. }) => Rule::new(
            "generic",
            format!("a {what} is not generic: nobody calls it who could choose `{ident}`"),
        )
        .help("write the type itself, or a function for each type"),
    };
    errors.push(generic, &rule);
}

fn check_parameter(ty: &Type, what: &str, errors: &mut Errors) {
    let rule = match ty {
        Type::ImplTrait(_) => Rule::new(
            "impl_parameter",
            format!("a {what} names the types of its parameters; `impl …` is generic"),
        )
        .help("write the type itself"),
        Type::Reference(_) => Rule::new(
            "reference_parameter",
            format!("a {what} owns its parameters: it runs later, when the caller is gone"),
        )
        .help("take the value itself, without `&`"),
        _ => return,
    };
    errors.push(ty, &rule);
}

fn check_output(ty: &Type, what: &str, errors: &mut Errors) {
    let rule = match ty {
        Type::ImplTrait(_) => Rule::new(
            "returns_impl",
            format!("a {what} names the type it returns"),
        )
        .help("write the type itself instead of `impl …`"),
        Type::Never(_) => Rule::new("returns_never", format!("a {what} does not return `!`"))
            .help("remove it: a body without an end may stand in a function that returns nothing"),
        Type::Reference(_) => Rule::new(
            "returns_reference",
            format!("a {what} returns a value: nothing it could refer to lives longer"),
        )
        .help("return an owned value, such as `String` instead of `&str`"),
        _ => return,
    };
    errors.push(ty, &rule);
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
