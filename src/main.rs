//! Arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    tlsa_rotate::cli::main()
}
