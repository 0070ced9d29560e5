//! `ringpost config check`: what is wrong with the configuration, and what is worth knowing.

use super::exit::Failure;
use super::{Named, print};
use crate::config::world;
use crate::serve::kernel::Kernel;
use ringpost_runtime::machine;

/// Reads the configuration and looks at the files that it names. Changes nothing.
pub fn run(named: &Named) -> Result<(), Failure> {
    let config = named.open()?;
    for note in world::check(&config)? {
        print(&format!("note: {note}\n"));
    }
    let shards = config.shards.map_or_else(machine::cpus, usize::from);
    for note in Kernel::here().notes(shards as u64) {
        print(&format!("note: {note}\n"));
    }
    print(&format!("{}: ok\n", config.file.display()));
    Ok(())
}
