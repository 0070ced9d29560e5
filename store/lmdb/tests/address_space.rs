//! A process that may have little address space: its index has a smaller map, and is told to be what it is.
//!
//! Alone in its executable: the limit is the process's.

mod fixture;

use fixture::{begin, deliver, mails, snapshot};
use ringpost_api::behaviour::ask;
use ringpost_lmdb::Options;

#[test]
fn the_map_is_as_large_as_it_may_be() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let usual = Options::default().map_octets as u64;
    let limit = libc::rlimit {
        rlim_cur: 16 << 30,
        rlim_max: 16 << 30,
    };
    // SAFETY: setrlimit(2) reads one structure, which is ours.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
    let lmdb = begin(data.path(), Options::default());
    let map_octets = lmdb.health().map_octets;
    assert!((1 << 30..16 << 30).contains(&map_octets), "{map_octets}");
    assert!(map_octets < usual);
    assert!(ask(&*lmdb, deliver(0, 500)).is_ok());
    assert_eq!(mails(&*snapshot(&lmdb)), [0]);
}
