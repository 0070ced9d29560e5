//! Text rows and the filter in front of them: whatever goes in comes out, and the filter passes over nothing that a plain
//! look at every text would find, and over everything else as far as trigrams can tell.

use proptest::prelude::*;
use ringpost_api::apply::{self, Edits, Rows, Terms};
use ringpost_api::behaviour::model::{Memory, Model};
use ringpost_api::behaviour::{ask, sound, tables};
use ringpost_api::search::build::{Builder, TEXT_OCTETS_MAX};
use ringpost_api::search::{self, Query, Round, SLOTS};
use ringpost_api::table::{Encoding, Stretch, flag};
use ringpost_api::text::{self, PIECE_OCTETS, Scratch};
use ringpost_api::write::{Deliver, Missing, Position, Target};
use ringpost_api::{Error, Outcome, Snapshot, Table, Write, key};
use ringpost_types::limit::Limits;
use ringpost_types::{AccountId, BlobId, MailboxId, Uid};

const ONE: AccountId = AccountId(1);
const INBOX: MailboxId = MailboxId::INBOX;

fn deliver(sequence: u64, text: Vec<u8>) -> Write {
    Write::Deliver(Deliver {
        blob: BlobId::new(0, sequence),
        segment: 1,
        offset: sequence * 4096,
        octets: 100,
        stored: 100,
        encoding: Encoding::Raw,
        record: Stretch {
            segment: 1,
            offset: sequence * 4096 - 64,
            octets: 2112,
        },
        checksum: 77,
        digest: b"digest".to_vec(),
        text,
        targets: vec![Target {
            account: ONE,
            mailbox: INBOX,
            missing: Missing::Inbox,
            flags: flag::DELETED,
            keywords: vec![],
            internal_date: 1_000,
            prefix: vec![],
        }],
        items: vec![],
        next: Position {
            segment: 1,
            offset: sequence * 4096 + 2048,
            sequence: sequence + 1,
        },
    })
}

/// Rows with an account, whose INBOX is empty.
fn rows() -> Memory {
    let mut rows = Memory::default();
    let name = "a@example.test".into();
    let secret = String::new();
    done(
        &mut rows,
        Write::AccountCreate {
            name,
            secret,
            scram: None,
        },
    );
    rows
}

fn write(rows: &mut Memory, write: Write) -> Result<Outcome, Error> {
    let limits = Limits::default();
    let terms = Terms {
        now: 1,
        limits: &limits,
    };
    apply::apply(rows, &write, terms, &mut Edits::default()).expect("memory does not fail")
}

fn done(rows: &mut Memory, request: Write) -> Outcome {
    write(rows, request).expect("a write that may be")
}

fn text_rows(rows: &Memory) -> usize {
    let mut count = 0;
    let scan = rows.scan(Table::Text, &[], &[], &mut |_, _| {
        count += 1;
        std::ops::ControlFlow::Continue(())
    });
    scan.expect("memory does not fail");
    count
}

/// Octets that do not pack.
fn noise(octets: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    (0..octets).map(|_| next()).collect()
}

#[test]
fn texts_of_any_length() {
    // The head, and the keys.
    const HEAD: usize = 24 + 4;
    // (text, pieces)
    let cases: &[(Vec<u8>, usize)] = &[
        (vec![], 1),
        (b"a".to_vec(), 1),
        (noise(PIECE_OCTETS - HEAD), 1),
        (noise(PIECE_OCTETS - HEAD + 1), 2),
        (noise(2 * PIECE_OCTETS - HEAD), 2),
        (noise(2 * PIECE_OCTETS - HEAD + 1), 3),
        // Packed to one piece, or to as few as it takes.
        (b"again ".repeat(2_000), 1),
        ([noise(3_000), b"again ".repeat(20_000)].concat(), 1),
        (noise(1 << 20), 258),
    ];
    for (sequence, (octets, pieces)) in (1..).zip(cases) {
        let mut rows = rows();
        let (inner, body) = (octets.len() / 3, octets.len() / 2);
        let row = text::encode(b"keys", octets, inner, body);
        done(&mut rows, deliver(sequence, row));
        assert_eq!(text_rows(&rows), *pieces, "{} octets", octets.len());
        let mut scratch = Scratch::default();
        let read = text::read(&rows, BlobId::new(0, sequence), &mut scratch);
        let read = read.expect("not damaged").expect("there");
        assert_eq!(read.text(), octets);
        assert_eq!(read.all(), [b"keys", &octets[..]].concat());
        assert_eq!(read.header(), &octets[..inner]);
        assert_eq!(read.body(), &octets[body..]);
        let expunge = Write::Expunge {
            account: ONE,
            mailbox: INBOX,
            uids: None,
        };
        done(&mut rows, expunge);
        assert_eq!(text_rows(&rows), 0, "{} octets", octets.len());
    }
}

#[test]
fn no_row() {
    let mut rows = rows();
    done(&mut rows, deliver(1, vec![]));
    let mut scratch = Scratch::default();
    let read = text::read(&rows, BlobId::new(0, 1), &mut scratch);
    assert_eq!(read, Ok(None));
}

proptest! {
    #[test]
    fn damaged_texts(octets in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..64, by in 1u8..) {
        let mut row = text::encode(b"k", &octets.repeat(30), octets.len(), octets.len() * 2);
        let at = at % row.len();
        row[at] ^= by;
        let mut rows = Memory::default();
        for (piece, octets) in row.chunks(PIECE_OCTETS).enumerate() {
            let key = match piece {
                0 => key::blob(BlobId(1)).to_vec(),
                _ => [&key::blob(BlobId(1))[..], &(piece as u16).to_be_bytes()].concat(),
            };
            rows.put(Table::Text, &key, octets).expect("memory");
        }
        let mut scratch = Scratch::default();
        if let Ok(Some(text)) = text::read(&rows, BlobId(1), &mut scratch) {
            let _ = (text.header(), text.body(), text.all());
        }
    }
}

/// A block of texts with these UIDs, ascending; `None` has no text at hand.
fn block(first: Uid, texts: &[(u32, Option<String>)]) -> Vec<Vec<u8>> {
    let mut builder = Builder::new(first);
    for (uid, text) in texts {
        // In two halves that no trigram crosses, as a text row and a prefix are two.
        let halves = text.as_ref().map(|text| {
            let half = text.len() / 2;
            [&text.as_bytes()[..half], &text.as_bytes()[half..]]
        });
        builder.add(Uid(*uid), halves);
    }
    builder.rows()
}

/// Rows with INBOX as if `uidnext` had been given out, without its messages.
fn rows_up_to(uidnext: u32) -> Memory {
    let mut rows = rows();
    let key = key::mailbox(ONE, INBOX);
    let mut row = rows
        .get(Table::Mailbox, &key)
        .expect("memory")
        .expect("INBOX")
        .to_vec();
    row[4..8].copy_from_slice(&uidnext.to_le_bytes());
    rows.put(Table::Mailbox, &key, &row).expect("memory");
    rows
}

fn put(rows: &mut Memory, first: u32, block: Vec<Vec<u8>>) -> Result<Outcome, Error> {
    let filter = Write::Filter {
        account: ONE,
        mailbox: INBOX,
        first: Uid(first),
        rows: block,
    };
    write(rows, filter)
}

/// All candidates, block by block; and where the blocks end.
fn found(rows: &Memory, query: &Query) -> (Vec<u32>, u32) {
    let (mut uids, mut from) = (Vec::new(), Uid(1));
    loop {
        let (round, _) =
            search::candidates(rows, (ONE, INBOX), query, from, 1, &mut uids).expect("not damaged");
        match round {
            Round::More(next) => from = next,
            Round::Done(next) => return (uids.iter().map(|uid| uid.0).collect(), next.0),
        }
    }
}

#[test]
fn one_block_behind_the_other() {
    let mut rows = rows_up_to(101);
    // All in the first half.
    let text = |uid: u32| {
        (
            uid,
            Some(format!("text number {uid} of all{}", "-".repeat(40))),
        )
    };
    let texts: Vec<_> = (1..=40).map(text).collect();
    assert_eq!(put(&mut rows, 1, block(Uid(1), &texts)), Ok(Outcome::Done));
    let number = |uid: u32| Query::contains(format!("number {uid} of").as_bytes());
    assert_eq!(found(&rows, &number(7)), (vec![7], 41));
    // Made by two at once: the second is too late.
    let late = block(Uid(1), &texts[..3]);
    assert_eq!(put(&mut rows, 1, late), Ok(Outcome::Done));
    assert_eq!(found(&rows, &number(7)), (vec![7], 41));
    // With gaps, and one without a text.
    let texts = [text(50), (60, None), text(90)];
    assert_eq!(
        put(&mut rows, 41, block(Uid(41), &texts)),
        Ok(Outcome::Done)
    );
    assert_eq!(found(&rows, &number(90)), (vec![60, 90], 91));
    assert_eq!(found(&rows, &Query::contains(b"xyz")), (vec![60], 91));
    assert_eq!(found(&rows, &Query::contains(b"ab")).0.len(), 43);
    let both = Query::and([number(90), number(7)]);
    assert_eq!(found(&rows, &both).0, [60]);
    let either = Query::or([number(90), number(7)]);
    assert_eq!(found(&rows, &either).0, [7, 60, 90]);
    assert_eq!(Query::or([number(9), Query::All]), Query::All);
    assert_eq!(Query::and([Query::All, Query::All]), Query::All);
    // Into what is still to come no block may reach.
    let refused = put(&mut rows, 91, block(Uid(91), &[text(101)]));
    assert!(matches!(refused, Err(Error::Cannot(_))));
    for rows_of_none in [vec![], vec![vec![]], vec![vec![0; 8]]] {
        let refused = put(&mut rows, 91, rows_of_none);
        assert!(matches!(refused, Err(Error::Cannot(_))));
    }
    let drop = Write::Unfilter {
        account: ONE,
        mailbox: INBOX,
    };
    assert_eq!(done(&mut rows, drop), Outcome::Swept { more: false });
    assert_eq!(found(&rows, &number(7)), (vec![], 1));
}

#[test]
fn a_full_block_and_texts_of_any_size() {
    let mut builder = Builder::new(Uid(1));
    let long = "x".repeat(TEXT_OCTETS_MAX);
    for uid in 1..=SLOTS as u32 {
        assert!(!builder.is_full());
        let own = format!("{uid:05} common");
        let behind = match uid {
            7 => format!("{long} rare"),
            8 => format!("{}rare", &long[5..]),
            9 => String::new(),
            _ => "much".into(),
        };
        builder.add(Uid(3 * uid), Some([own.as_bytes(), behind.as_bytes()]));
    }
    assert!(builder.is_full());
    let last = 3 * SLOTS as u32;
    let mut rows = rows_up_to(last + 1);
    let block = builder.rows();
    assert!(block[1..].iter().all(|row| row.len() <= PIECE_OCTETS));
    put(&mut rows, 1, block).expect("a block");
    let query = |text: &str| found(&rows, &Query::contains(text.as_bytes())).0;
    assert_eq!(query("common").len(), SLOTS);
    assert_eq!(query("much").len(), SLOTS - 2);
    // Too long to be listed: looked at each time. One octet shorter it is listed.
    assert_eq!(query("rare"), [21, 24]);
    assert_eq!(query("nowhere"), [21]);
    assert_eq!(query("00777"), [21, 3 * 777]);
    assert_eq!(found(&rows, &Query::All).1, last + 1);
}

/// A store with a filter is sound, and dropping the mailbox drops it.
#[test]
fn a_filter_goes_with_its_mailbox() {
    let store = Model::default();
    let name = "a@example.test".into();
    let secret = String::new();
    ask(
        &store,
        Write::AccountCreate {
            name,
            secret,
            scram: None,
        },
    )
    .expect("an account");
    for sequence in 1..=5 {
        let row = text::encode(b"", b"some text", 0, 0);
        ask(&store, deliver(sequence, row)).expect("a mail");
    }
    let texts: Vec<_> = (1..=5).map(|uid| (uid, Some("some text".into()))).collect();
    let filter = Write::Filter {
        account: ONE,
        mailbox: INBOX,
        first: Uid(1),
        rows: block(Uid(1), &texts),
    };
    ask(&store, filter).expect("a block");
    sound(&store);
    ask(&store, Write::AccountRemove { account: ONE }).expect("removed");
    sound(&store);
    let left = |table| tables(&store).keys().any(|(of, _)| *of == table);
    assert!(!left(Table::Filter) && !left(Table::Text));
}

proptest! {
    /// Every text that contains the needle is among the candidates, and what is not lacks one of its trigrams.
    #[test]
    fn as_looking_at_each(
        texts in proptest::collection::vec((1u32..4, proptest::option::of("[ab é漢]{0,12}")), 1..60),
        needle in "[ab é漢]{0,5}",
        cut in 0usize..60,
    ) {
        let mut uid = 0;
        let texts: Vec<(u32, Option<String>)> = texts.into_iter().map(|(gap, text)| {
            uid += gap;
            (uid, text.map(|text| format!("{text}{text}")))
        }).collect();
        let mut rows = rows_up_to(uid + 1);
        let (one, other) = texts.split_at(cut.min(texts.len()));
        let mut first = 1;
        for part in [one, other] {
            if let Some((last, _)) = part.last() {
                put(&mut rows, first, block(Uid(first), part)).expect("a block");
                first = last + 1;
            }
        }
        let (uids, end) = found(&rows, &Query::contains(needle.as_bytes()));
        prop_assert_eq!(end, uid + 1);
        let within = |text: &str, part: &[u8]| {
            let halves = text.as_bytes().split_at(text.len() / 2);
            [halves.0, halves.1].iter().any(|half| part.is_empty() || half.windows(part.len()).any(|found| found == part))
        };
        for (uid, text) in &texts {
            let expected = text.as_ref().is_none_or(|text| needle.as_bytes().windows(3).all(|part| within(text, part)));
            prop_assert_eq!(uids.contains(uid), expected, "{} {:?}", uid, text);
        }
    }

    /// Damaged rows are an error or a wrong answer, never a panic or a loop without end.
    #[test]
    fn damaged_blocks(row in 0usize..3, at in 0usize..400, octet: u8, cut in 0usize..400) {
        let texts: Vec<_> = (1..=20).map(|uid| (uid, Some(format!("text {uid}")))).collect();
        let mut block = block(Uid(1), &texts);
        let row = row % block.len();
        let length = block[row].len();
        block[row][at % length] = octet;
        block[row].truncate(cut.max(8));
        let mut rows = rows_up_to(100);
        if put(&mut rows, 1, block).is_ok() {
            let mut uids = Vec::new();
            let query = Query::contains(b"text 7");
            let _ = search::candidates(&rows, (ONE, INBOX), &query, Uid(1), 10, &mut uids);
        }
    }
}
