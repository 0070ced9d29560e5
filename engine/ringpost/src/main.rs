//! The program.
#![forbid(unsafe_code)]

/// Fastest measured on the message path. What is freed goes back to the system after its default delay.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    ringpost::cli::main()
}
