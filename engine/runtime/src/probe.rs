//! Whether this machine lets us have io_uring, and if not, what has to be done.

use std::{fmt, fs, io};

/// io_uring cannot be had. The text says why and what allows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// What the kernel said, in words.
    pub reason: String,
    /// What the operator can do.
    pub remedy: String,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "io_uring is not available: {}; {}",
            self.reason, self.remedy
        )
    }
}

impl std::error::Error for Unavailable {}

/// Sets up a small ring and takes it down again.
pub fn probe() -> Result<(), Unavailable> {
    match io_uring::IoUring::new(8) {
        Ok(_) => Ok(()),
        Err(error) => Err(explain(&error)),
    }
}

/// Puts a failed `io_uring_setup(2)` into words.
pub(crate) fn explain(error: &io::Error) -> Unavailable {
    let disabled = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    explain_with(error, disabled.trim())
}

/// `disabled`: what sysctl kernel.io_uring_disabled says; empty where there is no such setting.
fn explain_with(error: &io::Error, disabled: &str) -> Unavailable {
    let (reason, remedy) = match (error.raw_os_error(), disabled) {
        (Some(libc::ENOSYS), _) => (
            "this kernel was built without it, or a container runtime hides it".to_owned(),
            "run Linux 5.19 or newer, and in a container allow the system calls io_uring_setup, io_uring_enter and io_uring_register",
        ),
        (Some(libc::EPERM | libc::EACCES), "2") => (
            "it is switched off for everyone (kernel.io_uring_disabled = 2)".to_owned(),
            "as root: sysctl kernel.io_uring_disabled=0",
        ),
        (Some(libc::EPERM | libc::EACCES), "1") => (
            "it is switched off for unprivileged processes (kernel.io_uring_disabled = 1)"
                .to_owned(),
            "as root: sysctl kernel.io_uring_disabled=0, or put the server's group into kernel.io_uring_group",
        ),
        (Some(libc::EPERM | libc::EACCES), _) => (
            "a seccomp filter refuses it, as container runtimes do by default".to_owned(),
            "allow io_uring_setup, io_uring_enter and io_uring_register in the seccomp profile (docker: --security-opt seccomp=PROFILE.json)",
        ),
        (Some(libc::ENOMEM), _) => (
            "its memory does not fit into the limit of locked memory".to_owned(),
            "raise it: LimitMEMLOCK=64M in the systemd unit, or ulimit -l 65536",
        ),
        (Some(libc::EMFILE | libc::ENFILE), _) => (
            "no more files may be opened".to_owned(),
            "raise the limit: LimitNOFILE=1048576 in the systemd unit, or ulimit -n",
        ),
        _ => (
            error.to_string(),
            "look for messages of the kernel in dmesg",
        ),
    };
    Unavailable {
        reason,
        remedy: remedy.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons() {
        const CASES: &[(i32, &str, &str)] = &[
            (libc::ENOSYS, "", "Linux 5.19"),
            (libc::EPERM, "2", "sysctl kernel.io_uring_disabled=0"),
            (libc::EPERM, "1", "kernel.io_uring_group"),
            (libc::EPERM, "0", "seccomp"),
            (libc::EACCES, "", "seccomp"),
            (libc::ENOMEM, "0", "LimitMEMLOCK"),
            (libc::EMFILE, "0", "LimitNOFILE"),
            (libc::EINVAL, "0", "dmesg"),
        ];
        for (errno, disabled, expected) in CASES {
            let text = explain_with(&io::Error::from_raw_os_error(*errno), disabled).to_string();
            assert!(text.contains(expected), "{text}");
        }
    }
}
