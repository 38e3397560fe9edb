//! Filters and tests that leave a null as it is.
//!
//! minijinja's own either fail on a null or take it for the text `none`: one would make a row poison,
//! the other a key of somebody else.

use minijinja::value::{Rest, Value};
use minijinja::{Environment, Error, State, filters, tests};

/// Has null go through the filters as null, and pass no test on texts.
pub(super) fn pass(environment: &mut Environment<'static>) {
    for (name, filter) in filters() {
        let pass = move |state: &mut State<'_, '_>, args: Rest<Value>| match args.first() {
            Some(value) if is_null(value) => Ok(value.clone()),
            _ => filter.call(state, &args),
        };
        environment.add_filter(name, pass);
    }
    for (name, test) in tests() {
        let pass = move |state: &mut State<'_, '_>, args: Rest<Value>| -> Result<bool, Error> {
            let is_null = args.first().is_some_and(is_null);
            Ok(!is_null && test.call(state, &args)?.is_true())
        };
        environment.add_test(name, pass);
    }
}

fn is_null(value: &Value) -> bool {
    value.is_none() || value.is_undefined()
}

/// All that take a text, a number or a list; not `default`, which is there for nulls.
fn filters() -> [(&'static str, Value); 27] {
    [
        ("abs", Value::from_function(filters::abs)),
        ("capitalize", Value::from_function(filters::capitalize)),
        ("count", Value::from_function(filters::length)),
        ("e", Value::from_function(filters::escape)),
        ("escape", Value::from_function(filters::escape)),
        ("first", Value::from_function(filters::first)),
        ("float", Value::from_function(filters::float)),
        ("indent", Value::from_function(filters::indent)),
        ("int", Value::from_function(filters::int)),
        ("join", Value::from_function(filters::join)),
        ("last", Value::from_function(filters::last)),
        ("length", Value::from_function(filters::length)),
        ("lines", Value::from_function(filters::lines)),
        ("list", Value::from_function(filters::list)),
        ("lower", Value::from_function(filters::lower)),
        ("max", Value::from_function(filters::max)),
        ("min", Value::from_function(filters::min)),
        ("pprint", Value::from_function(filters::pprint)),
        ("replace", Value::from_function(filters::replace)),
        ("reverse", Value::from_function(filters::reverse)),
        ("round", Value::from_function(filters::round)),
        ("safe", Value::from_function(filters::safe)),
        ("split", Value::from_function(filters::split)),
        ("string", Value::from_function(filters::string)),
        ("title", Value::from_function(filters::title)),
        ("trim", Value::from_function(filters::trim)),
        ("upper", Value::from_function(filters::upper)),
    ]
}

fn tests() -> [(&'static str, Value); 4] {
    [
        ("endingwith", Value::from_function(tests::is_endingwith)),
        ("lower", Value::from_function(tests::is_lower)),
        ("startingwith", Value::from_function(tests::is_startingwith)),
        ("upper", Value::from_function(tests::is_upper)),
    ]
}
