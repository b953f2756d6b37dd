//! The `dijkwacht` command: arguments, one call, an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    dijkwacht::cli::main()
}
