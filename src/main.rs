//! The `dijkwacht` command.
fn main() {}
