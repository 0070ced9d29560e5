//! Mails that move to another log: their name, and all their first record said, go along.

use crate::scene::*;
use ringpost_api::write::Position;
use ringpost_log::file::{Blocking, now};
use ringpost_log::segment::{self, Holds};
use ringpost_log::{Entry, Found, LogError, REWRITE, Reader, Stored};
use std::fs;

#[test]
fn a_moved_mail_is_the_same() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    let mut scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    let small = scene.append(record(1000, b'a')).expect("durable");
    let mut stream = now(scene.log.stream(trial.clone())).expect("a scratch directory");
    now(stream.write(vec![b'l'; 100_000])).expect("written");
    let streamed = now(stream.finish()).expect("durable");
    let big = scene.append(large(streamed)).expect("durable");
    drop(scene);

    let mut rewrite = Scene::of(REWRITE, &trial, data.path(), Position::default(), OPTIONS);
    let reader = Reader::new(Blocking, data.path());
    let octets = now(reader.whole(&row(&small))).expect("readable");
    let linked = now(rewrite.log.link(Blocking, 7, big.segment)).expect("a link");
    let moves = [
        (small.clone(), Stored::Octets(octets)),
        (big.clone(), Stored::Linked(linked)),
    ];
    for (deliver, stored) in moves {
        let carried = Entry::Deliver(deliver.clone()).carried();
        let mut append = rewrite.log.relocate(carried, stored, None);
        rewrite.turn();
        answer(&mut append).expect("durable");
    }
    let told = rewrite.relocated.borrow().clone();
    drop(rewrite);
    // The old places go; what was open before goes on telling.
    let before = now(reader.whole(&row(&big))).expect("readable");
    segment::remove(data.path(), 7, 1, Holds::Records).expect("removable");
    segment::remove(data.path(), 7, big.segment, Holds::Mail).expect("removable");
    assert!(now(reader.whole(&row(&big))).as_ref() == Ok(&before));
    let fresh = Reader::new(Blocking, data.path());
    for gone in [&small, &big] {
        let read = now(fresh.read(&row(gone), 0..1, Vec::new()));
        assert_eq!(read, Err(LogError::Moved));
    }

    let (found, end) = recover_whole(data.path(), REWRITE, Position::default());
    assert_eq!((found.len(), end.unnamed), (2, vec![]));
    for ((found, first), told) in found.into_iter().zip([small, big]).zip(told) {
        let Found::Record(Entry::Relocate(moved)) = found else {
            panic!("{found:?}");
        };
        assert_eq!(moved.relocate, told);
        let entry = Entry::Relocate(moved);
        let place = entry.place();
        assert_eq!((entry.blob(), place.log), (first.blob, REWRITE));
        let own = first.segment != first.record.segment;
        assert_eq!(place.segment != place.record.segment, own);
        assert!(now(fresh.whole(&place)).is_ok());
        assert_eq!(entry.carried(), Entry::Deliver(first).carried());
    }
}

/// A link whose record never comes goes, and the first name stays.
#[test]
fn a_link_that_is_given_up_leaves_the_mail() {
    let data = tempfile::tempdir().expect("a scratch directory");
    let trial = Trial::default();
    let mut scene = Scene::open(&trial, data.path(), Position::default(), OPTIONS);
    let stream = now(scene.log.stream(trial.clone())).expect("a scratch directory");
    let streamed = now(stream.finish()).expect("durable");
    let big = scene.append(large(streamed)).expect("durable");
    let rewrite = Scene::of(REWRITE, &trial, data.path(), Position::default(), OPTIONS);
    let linked = now(rewrite.log.link(Blocking, 7, big.segment)).expect("a link");
    let folder = segment::directory(data.path(), REWRITE);
    assert_eq!(fs::read_dir(&folder).expect("there").count(), 1);
    drop(linked);
    assert_eq!(fs::read_dir(&folder).expect("there").count(), 0);
    let reader = Reader::new(Blocking, data.path());
    assert_eq!(now(reader.whole(&row(&big))), Ok(Vec::new()));
    let none = now(rewrite.log.link(Blocking, 7, 99)).map(|_| ());
    assert_eq!(none, Err(LogError::Io(libc::ENOENT)));
}
