//! JSON as text. Nothing here makes values of it: what is read is found, checked and copied, so no
//! digit is lost and little is paid.

mod compact;
mod scan;
mod surrogate;

pub(crate) use compact::{compact, is_nested, is_too_deep};
pub(crate) use scan::{Malformed, Members, Scanner, names, offset_in, syntax_error, unescaped};
pub(crate) use surrogate::has_lone_surrogate;
