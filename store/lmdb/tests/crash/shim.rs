//! The file calls of this executable: those of libc, by the system call, and told to `trace`.
//!
//! A symbol that an executable defines is the one that everything linked into it uses: the standard library, and LMDB,
//! which is C. So nothing that store and log do to their files goes by unseen, without a change to either. What is
//! mapped is not seen: LMDB writes its lock file that way, which says nothing after a restart of the machine.
//!
//! Below a watched directory a descriptor with O_DSYNC is opened without it, and each write through it told as durable.
//!
//! Variadic functions are defined with all arguments they can have: on x86_64 and aarch64 integers and pointers are
//! passed alike either way, and one that was not passed is not looked at.

use crate::trace::{self, Event, Kind};
use libc::{c_char, c_int, c_long, c_void, iovec, mode_t, off_t, size_t, ssize_t};
use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Descriptors whose writes are durable when they are done, by their number.
static DURABLE: [AtomicBool; 4096] = [const { AtomicBool::new(false) }; 4096];

fn durable(fd: c_int) -> Option<&'static AtomicBool> {
    DURABLE.get(usize::try_from(fd).ok()?)
}

/// The file behind a descriptor, if it is below a watched directory.
fn watched(fd: c_int) -> Option<PathBuf> {
    if !trace::any() {
        return None;
    }
    let path = std::fs::read_link(format!("/proc/self/fd/{fd}")).ok()?;
    trace::covers(&path).then_some(path)
}

/// A path that a call was given, if it is below a watched directory.
///
/// # Safety
/// - `path` is a C string, as for the call it was given to.
unsafe fn named(folder: c_int, path: *const c_char) -> Option<PathBuf> {
    if !trace::any() {
        return None;
    }
    // SAFETY: the caller's promise.
    let name = unsafe { CStr::from_ptr(path) };
    let name = Path::new(OsStr::from_bytes(name.to_bytes()));
    let path = match folder {
        libc::AT_FDCWD => name.to_owned(),
        folder => std::fs::read_link(format!("/proc/self/fd/{folder}"))
            .ok()?
            .join(name),
    };
    trace::covers(&path).then_some(path)
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

// What is written.

/// # Safety
/// - as for pwritev(2), with `offset` -1 for the place where the descriptor stands.
unsafe fn write_pieces(fd: c_int, pieces: *const iovec, count: c_int, offset: off_t) -> ssize_t {
    let call = || {
        // SAFETY: the caller's promise; pwritev2 takes -1 for where the descriptor stands.
        unsafe {
            libc::syscall(
                libc::SYS_pwritev2,
                c_long::from(fd),
                pieces,
                c_long::from(count),
                offset,
                0_i64,
                0_i64,
            ) as ssize_t
        }
    };
    let Some(path) = watched(fd) else {
        return call();
    };
    trace::entry(&path, || {
        let at = match offset {
            // SAFETY: lseek(2) takes no pointers.
            -1 => unsafe { libc::lseek(fd, 0, libc::SEEK_CUR) },
            offset => offset,
        };
        let written = call();
        let Ok(mut left) = usize::try_from(written) else {
            return (written, Vec::new());
        };
        let mut octets = Vec::with_capacity(left);
        // SAFETY: `pieces` points to `count` of them, each to as many octets as it says: the caller's promise.
        for piece in unsafe { std::slice::from_raw_parts(pieces, count as usize) } {
            let length = piece.iov_len.min(left);
            // SAFETY: as above.
            octets.extend_from_slice(unsafe {
                std::slice::from_raw_parts(piece.iov_base.cast(), length)
            });
            left -= length;
        }
        let (offset, length) = (at as u64, octets.len() as u64);
        let mut events = vec![Event::Write {
            path: path.clone(),
            offset,
            octets,
        }];
        if durable(fd).is_some_and(|durable| durable.load(Ordering::SeqCst)) {
            events.push(Event::SyncRange {
                path: path.clone(),
                offset,
                octets: length,
            });
        }
        (written, events)
    })
}

/// # Safety
/// - as for write(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, octets: *const c_void, count: size_t) -> ssize_t {
    let piece = iovec {
        iov_base: octets.cast_mut(),
        iov_len: count,
    };
    if !trace::any() {
        // SAFETY: the caller's promise.
        return unsafe {
            libc::syscall(libc::SYS_write, c_long::from(fd), octets, count) as ssize_t
        };
    }
    // SAFETY: the caller's promise, for one piece.
    unsafe { write_pieces(fd, &piece, 1, -1) }
}

/// # Safety
/// - as for writev(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn writev(fd: c_int, pieces: *const iovec, count: c_int) -> ssize_t {
    // SAFETY: the caller's promise.
    unsafe { write_pieces(fd, pieces, count, -1) }
}

/// # Safety
/// - as for pwrite(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(
    fd: c_int,
    octets: *const c_void,
    count: size_t,
    offset: off_t,
) -> ssize_t {
    let piece = iovec {
        iov_base: octets.cast_mut(),
        iov_len: count,
    };
    // SAFETY: the caller's promise, for one piece.
    unsafe { write_pieces(fd, &piece, 1, offset) }
}

/// # Safety
/// - as for pwrite(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite(
    fd: c_int,
    octets: *const c_void,
    count: size_t,
    offset: off_t,
) -> ssize_t {
    // SAFETY: the caller's promise.
    unsafe { pwrite64(fd, octets, count, offset) }
}

/// # Safety
/// - as for pwritev(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwritev64(
    fd: c_int,
    pieces: *const iovec,
    count: c_int,
    offset: off_t,
) -> ssize_t {
    // SAFETY: the caller's promise.
    unsafe { write_pieces(fd, pieces, count, offset) }
}

/// # Safety
/// - as for pwritev(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwritev(
    fd: c_int,
    pieces: *const iovec,
    count: c_int,
    offset: off_t,
) -> ssize_t {
    // SAFETY: the caller's promise.
    unsafe { write_pieces(fd, pieces, count, offset) }
}

// What is synced.

fn sync(fd: c_int, number: c_long) -> c_int {
    match watched(fd) {
        Some(path) => trace::entry(&path, || (0, vec![Event::Sync { path: path.clone() }])),
        // SAFETY: fsync(2) and fdatasync(2) take no pointers.
        None => unsafe { libc::syscall(number, c_long::from(fd)) as c_int },
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn fsync(fd: c_int) -> c_int {
    sync(fd, libc::SYS_fsync)
}

#[unsafe(no_mangle)]
pub extern "C" fn fdatasync(fd: c_int) -> c_int {
    sync(fd, libc::SYS_fdatasync)
}

// How long files are.

#[unsafe(no_mangle)]
pub extern "C" fn ftruncate64(fd: c_int, length: off_t) -> c_int {
    // SAFETY: ftruncate(2) takes no pointers.
    let call = || unsafe { libc::syscall(libc::SYS_ftruncate, c_long::from(fd), length) as c_int };
    let Some(path) = watched(fd) else {
        return call();
    };
    trace::entry(&path, || {
        let result = call();
        let event = Event::Length {
            path: path.clone(),
            octets: length as u64,
        };
        (result, Vec::from_iter((result == 0).then_some(event)))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn ftruncate(fd: c_int, length: off_t) -> c_int {
    ftruncate64(fd, length)
}

#[unsafe(no_mangle)]
pub extern "C" fn fallocate64(fd: c_int, mode: c_int, offset: off_t, octets: off_t) -> c_int {
    let (long, wide) = (c_long::from(fd), c_long::from(mode));
    // SAFETY: fallocate(2) takes no pointers.
    let call =
        || unsafe { libc::syscall(libc::SYS_fallocate, long, wide, offset, octets) as c_int };
    let Some(path) = watched(fd) else {
        return call();
    };
    trace::entry(&path, || {
        // SAFETY: as above for lseek(2), which every caller here does by position and does not miss.
        let before = unsafe { libc::lseek(fd, 0, libc::SEEK_END) };
        let result = call();
        let (path, end) = (path.clone(), offset + octets);
        let event = if mode & libc::FALLOC_FL_PUNCH_HOLE != 0 {
            let (offset, octets) = (offset as u64, octets as u64);
            Some(Event::Punch {
                path,
                offset,
                octets,
            })
        } else if mode == 0 && end > before {
            let octets = end as u64;
            Some(Event::Length { path, octets })
        } else {
            None
        };
        (result, Vec::from_iter(event.filter(|_| result == 0)))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn fallocate(fd: c_int, mode: c_int, offset: off_t, octets: off_t) -> c_int {
    fallocate64(fd, mode, offset, octets)
}

// Names.

/// # Safety
/// - as for openat(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat64(
    folder: c_int,
    path: *const c_char,
    flags: c_int,
    mode: mode_t,
) -> c_int {
    let call = |flags: c_int| {
        let (folder, flags) = (c_long::from(folder), c_long::from(flags));
        // SAFETY: the caller's promise.
        unsafe { libc::syscall(libc::SYS_openat, folder, path, flags, c_long::from(mode)) as c_int }
    };
    // SAFETY: the caller's promise.
    let Some(place) = (unsafe { named(folder, path) }) else {
        return call(flags);
    };
    trace::entry(&place, || {
        let new = flags & libc::O_CREAT != 0 && !is_there(&place);
        let fd = call(flags & !libc::O_DSYNC);
        if let Some(durable) = durable(fd) {
            durable.store(flags & libc::O_DSYNC != 0, Ordering::SeqCst);
        }
        let mut events = Vec::new();
        if fd >= 0 && new {
            events.push(Event::Create {
                path: place.clone(),
                kind: Kind::File,
            });
        } else if fd >= 0 && flags & libc::O_TRUNC != 0 {
            events.push(Event::Length {
                path: place.clone(),
                octets: 0,
            });
        }
        (fd, events)
    })
}

/// # Safety
/// - as for openat(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat(
    folder: c_int,
    path: *const c_char,
    flags: c_int,
    mode: mode_t,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { openat64(folder, path, flags, mode) }
}

/// # Safety
/// - as for open(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { openat64(libc::AT_FDCWD, path, flags, mode) }
}

/// # Safety
/// - as for open(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { openat64(libc::AT_FDCWD, path, flags, mode) }
}

/// # Safety
/// - as for mkdir(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mkdir(path: *const c_char, mode: mode_t) -> c_int {
    let (here, mode) = (c_long::from(libc::AT_FDCWD), c_long::from(mode));
    // SAFETY: the caller's promise.
    let call = || unsafe { libc::syscall(libc::SYS_mkdirat, here, path, mode) as c_int };
    // SAFETY: the caller's promise.
    let Some(place) = (unsafe { named(libc::AT_FDCWD, path) }) else {
        return call();
    };
    trace::entry(&place, || {
        let result = call();
        let event = Event::Create {
            path: place.clone(),
            kind: Kind::Folder,
        };
        (result, Vec::from_iter((result == 0).then_some(event)))
    })
}

/// # Safety
/// - as for unlinkat(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlinkat(folder: c_int, path: *const c_char, flags: c_int) -> c_int {
    let (long, flags) = (c_long::from(folder), c_long::from(flags));
    // SAFETY: the caller's promise.
    let call = || unsafe { libc::syscall(libc::SYS_unlinkat, long, path, flags) as c_int };
    // SAFETY: the caller's promise.
    let Some(place) = (unsafe { named(folder, path) }) else {
        return call();
    };
    trace::entry(&place, || {
        let result = call();
        let event = Event::Remove {
            path: place.clone(),
        };
        (result, Vec::from_iter((result == 0).then_some(event)))
    })
}

/// # Safety
/// - as for unlink(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { unlinkat(libc::AT_FDCWD, path, 0) }
}

/// # Safety
/// - as for rename(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    let here = c_long::from(libc::AT_FDCWD);
    // SAFETY: the caller's promise.
    let call =
        || unsafe { libc::syscall(libc::SYS_renameat2, here, from, here, to, 0_i64) as c_int };
    // SAFETY: the caller's promise.
    let places = unsafe { (named(libc::AT_FDCWD, from), named(libc::AT_FDCWD, to)) };
    let (Some(from), Some(to)) = places else {
        return call();
    };
    trace::entry(&to.clone(), || {
        let result = call();
        let event = Event::Rename { from, to };
        (result, Vec::from_iter((result == 0).then_some(event)))
    })
}

/// # Safety
/// - as for linkat(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linkat(
    from_folder: c_int,
    from: *const c_char,
    to_folder: c_int,
    to: *const c_char,
    flags: c_int,
) -> c_int {
    let (old, new, flags) = (
        c_long::from(from_folder),
        c_long::from(to_folder),
        c_long::from(flags),
    );
    // SAFETY: the caller's promise.
    let call = || unsafe { libc::syscall(libc::SYS_linkat, old, from, new, to, flags) as c_int };
    // SAFETY: the caller's promise.
    let places = unsafe { (named(from_folder, from), named(to_folder, to)) };
    let (Some(from), Some(to)) = places else {
        return call();
    };
    trace::entry(&to.clone(), || {
        let result = call();
        let event = Event::Link { from, to };
        (result, Vec::from_iter((result == 0).then_some(event)))
    })
}

/// # Safety
/// - as for link(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn link(from: *const c_char, to: *const c_char) -> c_int {
    let here = libc::AT_FDCWD;
    // SAFETY: the caller's promise.
    unsafe { linkat(here, from, here, to, 0) }
}
