//! What logins of all shards have in common.
//!
//! In:  the configuration, the data folder. Out: a [`Policy`] for the doors, which a reload makes anew.

use crate::cli::exit::Failure;
use crate::config::Config;
use aws_lc_rs::rand;
use ringpost_login::door::Policy;
use ringpost_login::queue::Queue;
use ringpost_login::{Tokens, certificate::Subjects};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

/// In the data folder: the secret that SCRAM keys of nobody are made of. Lost, it is made anew, and a stranger who wrote
/// down what a name was answered before can tell who is nobody.
const FILE: &str = "login.key";

/// What a reload leaves as it was.
#[derive(Clone)]
pub struct Roots {
    nobody: [u8; 32],
    tokens: Option<Arc<dyn Tokens>>,
    queue: Arc<Queue>,
}

impl Roots {
    /// Reads the secret below the data folder, or makes it.
    pub fn open(config: &Config, tokens: Option<Arc<dyn Tokens>>) -> Result<Roots, Failure> {
        let path = config.data_dir.join(FILE);
        let nobody = secret(&path)
            .map_err(|error| Failure::unreachable(format!("{}: {error}", path.display())))?;
        Ok(Roots {
            nobody,
            tokens,
            queue: Queue::new(config.limits.password_queue_max),
        })
    }

    /// What the configuration wants of logins.
    pub fn policy(&self, config: &Config) -> Arc<Policy> {
        Arc::new(Policy {
            allowed: config.auth.mechanisms,
            nobody: self.nobody,
            tokens: self.tokens.clone(),
            token_ms: config.limits.login_token_ms,
            subjects: Subjects::from_iter(config.auth.certificates.iter().cloned()),
            failure_ms: config.limits.login_failure_ms,
            queue: self.queue.clone(),
        })
    }
}

fn secret(path: &Path) -> io::Result<[u8; 32]> {
    match fs::read(path) {
        Ok(octets) => {
            let wrong = |_| io::Error::other("not 32 octets; remove it, and it is made anew");
            return octets.try_into().map_err(wrong);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut octets = [0; 32];
    rand::fill(&mut octets).map_err(|_| io::Error::other("the machine gave no random octets"))?;
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| {
        file.write_all(&octets)?;
        file.sync_all()
    })?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a scratch directory");
        let path = folder.path().join(FILE);
        let made = secret(&path).expect("made");
        assert_eq!(secret(&path).expect("read"), made);
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(&path, b"short").expect("writable");
        assert!(secret(&path).is_err());
    }
}
