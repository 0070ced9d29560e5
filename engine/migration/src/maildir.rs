//! Maildir, as Dovecot and Courier write it.
//!
//! ```text
//! ROOT/cur ROOT/new ROOT/tmp            INBOX
//! ROOT/.A.B/cur …                       A/B, the Maildir++ way: one directory for each folder, levels after dots
//! ROOT/A/B/cur …                        A/B, the fs way: directories in directories
//! ROOT/subscriptions                    names, one on each line
//! FOLDER/dovecot-keywords               `0 Name`: keyword 0 is letter `a` in file names
//! FOLDER/dovecot-uidlist                the order of the mails; Courier: courierimapuiddb
//! FOLDER/cur/1700000000.M1P2.host,S=1234:2,FSa      one mail
//! ```
//! Reading order: `file` (what a mail's file name says), `tree` (folders), `list` (the small files).
//!
//! Invariants: a symbolic link is never followed, and told; what is no regular file is never opened for its octets; only
//! names that [`crate::name`] has made are written.

pub mod file;
pub mod list;
pub mod tree;

use std::fs::File;
use std::io;
use std::path::Path;

/// Opens a file that must be a regular one, and no symbolic link.
pub fn open_regular(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    // NONBLOCK: a named pipe would wait for its writer.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file: File = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(opened) => opened.into(),
        Err(rustix::io::Errno::LOOP) => {
            return Err(io::Error::other("a symbolic link, which is not followed"));
        }
        Err(error) => return Err(error.into()),
    };
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("not a regular file"))
    }
}
