//! Arguments in, exit code out.

use std::process::ExitCode;

// Gives the memory of slow hashes back at once, which the system's own allocator does not, and
// serves requests a little faster.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    latchkey::cli::main()
}
