//! A disk that fails when it is told to: the file calls by which LMDB writes, as this executable has them.
//!
//! A symbol that an executable defines is the one that everything linked into it uses, LMDB too, which is C. Calls on other
//! files than an index's go by as they are.

use libc::{c_int, c_long, c_void, iovec, off_t, size_t, ssize_t};
use std::sync::atomic::{AtomicI32, AtomicU8, Ordering};

/// Which calls fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Place {
    Nowhere = 0,
    /// Pages of rows are not written.
    Pages = 1,
    /// Of the pages of rows, half is written.
    Half = 2,
    /// Pages are written, and then cannot be put on disk.
    Sync = 3,
    /// The meta page, which makes a commit one, is not written.
    Meta = 4,
    /// It is written, told as failed, and LMDB cannot take it back.
    MetaAfter = 5,
}

static PLACE: AtomicU8 = AtomicU8::new(Place::Nowhere as u8);
static ERROR: AtomicI32 = AtomicI32::new(0);

/// From now on calls at `place` fail with `error`.
pub fn fail(place: Place, error: i32) {
    ERROR.store(error, Ordering::SeqCst);
    PLACE.store(place as u8, Ordering::SeqCst);
}

/// All is well again.
pub fn mend() {
    PLACE.store(Place::Nowhere as u8, Ordering::SeqCst);
}

fn fails(place: Place, fd: c_int) -> bool {
    if PLACE.load(Ordering::SeqCst) != place as u8 {
        return false;
    }
    let path = std::fs::read_link(format!("/proc/self/fd/{fd}"));
    path.is_ok_and(|path| path.ends_with("data.mdb"))
}

fn error() -> ssize_t {
    // SAFETY: errno is this thread's own.
    unsafe { *libc::__errno_location() = ERROR.load(Ordering::SeqCst) };
    -1
}

/// The meta page is the one that is written in part; its fields, not its header.
const META_OCTETS_MAX: size_t = 1_024;

/// # Safety
/// - as for pwrite(2).
unsafe fn write_at(fd: c_int, octets: *const c_void, count: size_t, offset: off_t) -> ssize_t {
    let call = |count: size_t| {
        // SAFETY: the caller's promise, for as many octets or fewer.
        let written =
            unsafe { libc::syscall(libc::SYS_pwrite64, c_long::from(fd), octets, count, offset) };
        written as ssize_t
    };
    if count > META_OCTETS_MAX {
        match () {
            () if fails(Place::Pages, fd) => error(),
            () if fails(Place::Half, fd) => call(count / 2),
            () => call(count),
        }
    } else {
        match () {
            () if fails(Place::Meta, fd) => error(),
            () if fails(Place::MetaAfter, fd) => {
                // The first is the commit, the next is the way back.
                PLACE.store(Place::Meta as u8, Ordering::SeqCst);
                call(count);
                error()
            }
            () => call(count),
        }
    }
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
    // SAFETY: the caller's promise.
    unsafe { write_at(fd, octets, count, offset) }
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
    unsafe { write_at(fd, octets, count, offset) }
}

/// # Safety
/// - as for writev(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn writev(fd: c_int, pieces: *const iovec, count: c_int) -> ssize_t {
    if fails(Place::Pages, fd) {
        return error();
    }
    let count = match fails(Place::Half, fd) {
        true => count / 2,
        false => count,
    };
    // SAFETY: the caller's promise, for as many pieces or fewer.
    unsafe {
        libc::syscall(
            libc::SYS_writev,
            c_long::from(fd),
            pieces,
            c_long::from(count),
        ) as ssize_t
    }
}

/// # Safety
/// - none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdatasync(fd: c_int) -> c_int {
    if fails(Place::Sync, fd) {
        return error() as c_int;
    }
    // SAFETY: fdatasync(2) takes no pointers.
    unsafe { libc::syscall(libc::SYS_fdatasync, c_long::from(fd)) as c_int }
}
