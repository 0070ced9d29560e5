//! `ringpost config check`: what is wrong with the configuration, and what is worth knowing.

use super::exit::Failure;
use super::{Named, print};
use crate::config::world;

/// Reads the configuration and looks at the files that it names. Changes nothing.
pub fn run(named: &Named) -> Result<(), Failure> {
    let config = named.open()?;
    for note in world::check(&config)? {
        print(&format!("note: {note}\n"));
    }
    print(&format!("{}: ok\n", config.file.display()));
    Ok(())
}
