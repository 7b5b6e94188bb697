//! What no compiled program can show: half-typed input, and errors without their places.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;

use crate::{condition, entry, task};

/// The texts of all `compile_error!`s, in order.
fn messages(tokens: TokenStream) -> Vec<String> {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut messages = Vec::new();
    for (index, tree) in trees.iter().enumerate() {
        let TokenTree::Ident(ident) = tree else {
            continue;
        };
        if ident != "compile_error" {
            continue;
        }
        if let Some(TokenTree::Group(group)) = trees.get(index + 2) {
            let text: syn::LitStr = syn::parse2(group.stream()).unwrap();
            messages.push(text.value());
        }
    }
    messages
}

fn expand(arguments: &str, item: &str) -> TokenStream {
    task::background_task(arguments.parse().unwrap(), item.parse().unwrap())
}

/// Every text that the compiler would hand over while `text` is typed.
fn prefixes(text: &str) -> impl Iterator<Item = TokenStream> {
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    ends.filter_map(|end| text[..end].parse().ok())
}

const FUNCTION: &str = "async fn make(task: TaskContext, Args(job): Args<Job>) -> Result<(), Failure> { job.run(&task) }";

/// Functions on their way, with what an editor is asked about: `job.`, a type without its end.
const FUNCTIONS: [&str; 5] = [
    FUNCTION,
    "/// Sends.\n#[must_use] pub(crate) fn send(State(db): State<Db>, Args((a, b)): Args<(u8, String)>) -> Vec<u8> { db. }",
    "async fn watch(report: ConditionReporter) -> Result<(), Error> { let x = ; report.set(x.) }",
    "async fn main(app: App) -> bgtask::Result<()> { app.task::<>().request(). }",
    "pub unsafe extern \"C\" fn r#type<'a, T: Into<U>, const N: usize>(&self, t: &'a T) -> impl Sized where T: Copy { t. }",
];

/// Expands one of the three attributes.
type Expand = fn(TokenStream, TokenStream) -> TokenStream;

/// Each attribute, and all that it takes.
const ATTRIBUTES: [(Expand, &str); 3] = [
    (
        task::background_task,
        r#"trigger = cron("0 3 * * Mon-Fri", tz = "Europe/Berlin"), condition = ac_power && (battery_above(LIMIT) || !self::vpn), host = process("media"), retry(max = 5, backoff = exponential("1s", max = "10m", jitter)), env(KEY = "value"), sandbox(read = ["/etc"]), standby, crate = ::facade::tasks, handle = Make"#,
    ),
    (condition::background_condition, "crate = ::facade::tasks,"),
    (
        entry::main,
        "setup = crate::start::setup, crate = ::facade::tasks,",
    ),
];

fn comes_out(expanded: &TokenStream, item: &TokenStream) {
    let written = |tokens: &TokenStream| tokens.to_string().replace(' ', "");
    let (expanded, item) = (written(expanded), written(item));
    assert!(expanded.contains(&item), "{item}\n{expanded}");
}

#[test]
fn half_typed_arguments_give_the_function_back() {
    for (expand, text) in ATTRIBUTES {
        let mut seen = 0;
        for arguments in prefixes(text) {
            for function in FUNCTIONS {
                let function: TokenStream = function.parse().unwrap();
                comes_out(&expand(arguments.clone(), function.clone()), &function);
                seen += 1;
            }
        }
        assert!(seen > text.len() / 2, "{seen} prefixes of {text}");
    }
    assert_eq!(messages(expand(ATTRIBUTES[0].1, FUNCTION)), [""; 0]);
}

#[test]
fn half_typed_functions_are_given_back() {
    for function in FUNCTIONS {
        let mut seen = 0;
        for item in prefixes(function) {
            for (expand, text) in ATTRIBUTES {
                comes_out(&expand(quote!(), item.clone()), &item);
                comes_out(&expand(text.parse().unwrap(), item.clone()), &item);
                seen += 1;
            }
        }
        assert!(seen > function.len() / 2, "{seen} prefixes of {function}");
    }
}

#[test]
fn odd_arguments_are_told_and_nothing_else() {
    for (arguments, expected) in [
        ("trigger startup", "unexpected `startup` after `trigger`"),
        ("trigger = startup, 15", "`15` is no argument"),
        (
            "trigger = startup, crate = ::a, crate = ::b",
            "`crate` is given twice",
        ),
        ("trigger = startup, crate", "`crate` takes a path"),
        ("trigger = startup, crate = 5", "`crate` takes a path"),
        (
            "trigger = startup, crate = self::a",
            "`self::a` is a relative path",
        ),
        (
            "trigger = startup, handle = fn",
            "`fn` is no name of a type",
        ),
        ("trigger = startup, name = ", "`name` takes a text"),
        (
            "trigger = startup, condition = ",
            "`condition` has no value",
        ),
        ("trigger =", "`trigger` has no value"),
        ("trigger = startup, {}", "`{` is no argument"),
    ] {
        let told = messages(expand(arguments, "async fn sync() {}"));
        let found = told
            .iter()
            .filter(|told| told.as_str() != "given first here");
        let found: Vec<_> = found.collect();
        assert_eq!(found.len(), 1, "{arguments}: {told:?}");
        assert!(found[0].starts_with(expected), "{arguments}: {told:?}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let told = messages(expand(
        "trigger = time(5), colour = 1",
        r#"#[background_task(condition = intrenet)] unsafe extern "C" fn sync<T>(&self, task: &TaskContext) -> impl Copy {}"#,
    ));
    assert_eq!(told.len(), 10, "{told:#?}");
}

#[test]
fn a_comma_at_the_end_is_fine() {
    assert_eq!(
        messages(expand("trigger = startup,", FUNCTION_OF_NOTHING)),
        [""; 0]
    );
    assert_eq!(
        messages(expand("trigger = push(\"a\",),", FUNCTION_OF_NOTHING)),
        [""; 0]
    );
}

const FUNCTION_OF_NOTHING: &str = "fn sync() {}";

#[test]
fn attributes_belong_on_functions() {
    for (item, what) in [
        ("pub struct A;", "a struct"),
        ("impl A { fn a() {} }", "an `impl`"),
        ("mod a {}", "a module"),
    ] {
        let told = messages(expand("trigger = startup", item));
        let expected = format!("`#[background_task]` is for functions, not for {what}");
        assert!(
            told.len() == 1 && told[0].starts_with(&expected),
            "{told:?}"
        );
    }
}

#[test]
fn main_reports_each_mistake() {
    let told = messages(entry::main(
        quote!(setup = 5, crate = bgtask, colour),
        quote!(
            fn main<T>(app: App, more: u8) {}
        ),
    ));
    assert_eq!(told.len(), 6, "{told:#?}");
}
