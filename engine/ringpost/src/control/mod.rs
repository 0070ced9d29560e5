//! The control plane: one tokio-uring thread beside the shards, for signals and the control socket.
//!
//! Reading order: [`request`] (what can be asked, and what it does to the store), [`client`] (how the command line
//! asks: through the socket while a server runs, else on the store itself), [`server`] (the socket's other end),
//! [`signal`].

pub mod alias;
pub mod ban;
pub mod client;
pub mod credential;
pub mod operation;
pub mod queue;
pub mod request;
pub mod server;
pub mod signal;
pub mod status;

use std::path::{Path, PathBuf};

/// Where a server on `data_dir` listens for its operator.
pub fn socket(data_dir: &Path) -> PathBuf {
    data_dir.join("control.sock")
}
