//! The `distributary` program: bootstrap only.
fn main() {}
