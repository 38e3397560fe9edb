//! JSON as text. Nothing here makes values of it: what is read is found, checked and copied, so no
//! digit is lost and little is paid.

mod compact;
mod members;
mod scan;
mod stencil;
mod string;
mod surrogate;

pub(crate) use compact::{compact, is_too_deep};
pub(crate) use members::{Member, Members, Named, each_member, members};
pub(crate) use scan::{Malformed, Scanner, offset_in, syntax_error};
pub(crate) use stencil::Stencil;
pub(crate) use string::unescaped;
pub(crate) use surrogate::has_lone_surrogate;
