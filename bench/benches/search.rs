//! SEARCH TEXT over one mailbox: what a session does, without its socket. And what making a text row costs.
//!
//! 100,000 letters (see `corpus`'s neighbour `letters`), or a few with `--test`. The store is in a temporary directory and
//! in the page cache after the first round. Octets of rows are told on standard error.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use memchr::memmem::Finder;
use ringpost_api::search::build::Builder;
use ringpost_api::search::{self, Query, Round, SLOTS};
use ringpost_api::table::{Encoding, Stretch};
use ringpost_api::text::{self, Scratch};
use ringpost_api::write::{Deliver, Missing, Position, Target};
use ringpost_api::{Error, Outcome, ReplyTo, Sink, Snapshot, Store, Table, Write, read};
use ringpost_bench::corpus;
use ringpost_bench::letters::Letters;
use ringpost_lmdb::Lmdb;
use ringpost_message::{Digest, Scanner, fold, html, searchable};
use ringpost_types::limit::Limits;
use ringpost_types::{AccountId, BlobId, MailboxId, Uid};
use std::cell::LazyCell;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::{Arc, mpsc};
use std::time::Duration;

const INBOX: (AccountId, MailboxId) = (AccountId(1), MailboxId::INBOX);
/// Mails of one commit while the mailbox is filled.
const BATCH: usize = 1_000;

fn digest_of(mail: &[u8]) -> Vec<u8> {
    let mut scanner = Scanner::new(&Limits::default());
    scanner.feed(mail, 0);
    scanner.finish(mail, 0)
}

/// What delivery makes of a mail.
fn row_of(mail: &[u8], digest: &[u8]) -> Vec<u8> {
    let digest = Digest::read(digest).expect("a digest of ours");
    let found = searchable::of(&digest, mail, 1 << 20).expect("little text");
    text::encode(&found.keys, &found.text, found.inner, found.body)
}

/// Where the index's answers go.
struct Answers(mpsc::Sender<Result<Outcome, Error>>);

impl Sink for Answers {
    fn complete(&self, answers: Vec<(u64, Result<Outcome, Error>)>) {
        for (_, answer) in answers {
            self.0
                .send(answer)
                .expect("the bench waits for every answer");
        }
    }
}

/// A store with one mailbox of many letters, and its filter.
struct Mailbox {
    store: Arc<Lmdb>,
    reply: ReplyTo,
    answers: mpsc::Receiver<Result<Outcome, Error>>,
    _folder: tempfile::TempDir,
}

impl Mailbox {
    fn filled(letters: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory can be made");
        let store = Lmdb::open(folder.path(), ringpost_lmdb::Options::default())
            .expect("the directory is ours and new");
        let (answered, answers) = mpsc::channel();
        let reply = ReplyTo {
            sink: Arc::new(Answers(answered)),
            token: 0,
        };
        let mailbox = Mailbox {
            store,
            reply,
            answers,
            _folder: folder,
        };
        mailbox.write(Write::AccountCreate {
            name: "bob@example.org".into(),
            secret: String::new(),
            scram: None,
        });
        let words = Letters::new();
        for number in 1..=letters {
            let mail = words.letter(number);
            let reply = number
                .is_multiple_of(BATCH as u64)
                .then(|| mailbox.reply.clone());
            let awaited = reply.is_some();
            mailbox
                .store
                .submit(Write::Deliver(deliver(number, &mail)), reply);
            if awaited {
                mailbox.answer();
            }
        }
        mailbox.index();
        mailbox
    }

    fn write(&self, write: Write) {
        self.store.submit(write, Some(self.reply.clone()));
        self.answer();
    }

    fn answer(&self) {
        let answer = self.answers.recv().expect("the writer runs");
        answer.expect("the store takes every write of this bench");
    }

    /// Makes the filter, block by block.
    fn index(&self) {
        loop {
            let snapshot = self.store.snapshot().expect("a snapshot");
            let first = search::end(&*snapshot, INBOX.0, INBOX.1).expect("readable");
            let Some(builder) = block(&*snapshot, first) else {
                return;
            };
            drop(snapshot);
            self.write(Write::Filter {
                account: INBOX.0,
                mailbox: INBOX.1,
                first,
                rows: builder.rows(),
            });
        }
    }

    /// Rows and octets of a table, without what the engine adds.
    fn octets(&self, table: Table) -> (usize, usize) {
        let snapshot = self.store.snapshot().expect("a snapshot");
        let mut sum = (0, 0);
        let scan = snapshot.scan(table, &[], &[], &mut |key, value| {
            sum = (sum.0 + 1, sum.1 + key.len() + value.len());
            ControlFlow::Continue(())
        });
        scan.expect("readable");
        sum
    }

    /// UIDs of the messages that contain `needle`, as SEARCH TEXT finds them.
    fn search(&self, needle: &str) -> usize {
        let folded = fold::fold(needle);
        let (query, finder) = (
            Query::contains(folded.as_bytes()),
            Finder::new(folded.as_bytes()),
        );
        let snapshot = self.store.snapshot().expect("a snapshot");
        let snapshot = &*snapshot;
        let (mut uids, mut from) = (Vec::new(), Uid(1));
        if !query.is_all() {
            loop {
                let asked = search::candidates(snapshot, INBOX, &query, from, 32, &mut uids);
                match asked.expect("readable").0 {
                    Round::More(next) => from = next,
                    Round::Done(next) => {
                        from = next;
                        break;
                    }
                }
            }
        }
        let (mut found, mut scratch) = (0, Scratch::default());
        let mut look = |blob| {
            let row = text::read(snapshot, blob, &mut scratch).expect("readable");
            let text = row.expect("every mail of the bench has a row").text();
            found += usize::from(finder.find(text).is_some());
        };
        for uid in uids {
            let row = read::message(snapshot, INBOX.0, INBOX.1, uid).expect("readable");
            if let Some(row) = row {
                look(row.blob);
            }
        }
        let scan = read::messages(snapshot, INBOX.0, INBOX.1, from, |_, row| {
            look(row.blob);
            ControlFlow::Continue(())
        });
        scan.expect("readable");
        found
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.store.close();
    }
}

/// A delivery of a mail that no log holds: this bench reads no bodies.
fn deliver(number: u64, mail: &[u8]) -> Deliver {
    let digest = digest_of(mail);
    Deliver {
        blob: BlobId::new(0, number),
        segment: 1,
        offset: number * 8_192,
        octets: mail.len() as u64,
        stored: mail.len() as u64,
        encoding: Encoding::Raw,
        record: Stretch {
            segment: 1,
            offset: number * 8_192 - 100,
            octets: mail.len() as u64 + 100,
        },
        checksum: number,
        text: row_of(mail, &digest),
        digest,
        targets: vec![Target {
            account: INBOX.0,
            mailbox: INBOX.1,
            missing: Missing::Inbox,
            flags: 0,
            keywords: Vec::new(),
            internal_date: 1_795_000_000,
            prefix: Vec::new(),
        }],
        items: vec![],
        next: Position {
            segment: 1,
            offset: number * 8_192 + 8_000,
            sequence: number + 1,
        },
    }
}

/// A packed block of the messages from `first` on, if there are enough.
fn block(snapshot: &dyn Snapshot, first: Uid) -> Option<Builder> {
    let (mut builder, mut scratch) = (Builder::new(first), Scratch::default());
    let scan = read::messages(snapshot, INBOX.0, INBOX.1, first, |uid, row| {
        let text = text::read(snapshot, row.blob, &mut scratch).expect("readable");
        builder.add(uid, text.map(|text| [text.all(), &[][..]]));
        match builder.is_full() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    scan.expect("readable");
    let full = builder.is_full();
    while full && !builder.pack() {}
    full.then_some(builder)
}

fn look_up(criterion: &mut Criterion) {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let letters = if is_test { 2_500 } else { 100_000 };
    // Filled for the first bench that is chosen.
    let mailbox = LazyCell::new(|| {
        let mailbox = Mailbox::filled(letters);
        for table in [Table::Text, Table::Filter] {
            let (rows, octets) = mailbox.octets(table);
            let each = octets as u64 / letters;
            let name = table.name();
            eprintln!("table {name}: {rows} rows, {each} octets for each of {letters} messages");
        }
        mailbox
    });
    let words = Letters::new();
    let last = String::from_utf8(words.letter(letters / 2)).expect("letters are UTF-8");
    // An id is as rare as can be; the longest word of a letter is in a few.
    let id = last
        .split("Message-ID: <")
        .nth(1)
        .map_or("", |rest| &rest[..12]);
    let body = last.split("\r\n\r\n").nth(1).unwrap_or_default();
    let rare = body
        .split_ascii_whitespace()
        .filter(|word| !word.contains(['/', ',']));
    let rare = rare.max_by_key(|word| word.len()).unwrap_or_default();
    let needles = [
        ("rare", rare),
        ("id", id),
        ("none", "xqzvkjw"),
        ("none_of_common_parts", "toriane"),
        ("header_of_each", "dkim-signature"),
        ("two_octets", "zx"),
        ("one_octet_of_each", "e"),
    ];
    let mut group = criterion.benchmark_group("search/text");
    group.throughput(Throughput::Elements(letters));
    for (name, needle) in needles {
        group.bench_function(name, |bencher| {
            let found = mailbox.search(needle);
            eprintln!("search/text/{name}: {needle:?} is in {found} messages");
            bencher.iter(|| mailbox.search(needle));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("search/filter");
    group.throughput(Throughput::Elements(SLOTS as u64));
    group.bench_function("block", |bencher| {
        let snapshot = mailbox.store.snapshot().expect("a snapshot");
        bencher.iter(|| block(&*snapshot, Uid(1)).map(Builder::rows));
    });
    group.finish();
}

fn make(criterion: &mut Criterion) {
    let letter = Letters::new().letter(3);
    let cases = [
        ("letter", letter),
        ("plain", corpus::plain(4 * 1024)),
        ("multipart_30k", corpus::multipart(30 * 1024)),
    ];
    let mut group = criterion.benchmark_group("search/row");
    for (name, mail) in cases {
        let digest = digest_of(&mail);
        let octets = row_of(&mail, &digest).len();
        eprintln!(
            "search/row/{name}: {} octets of mail, a row of {octets}",
            mail.len()
        );
        group.bench_function(name, |bencher| {
            bencher.iter(|| row_of(black_box(&mail), &digest))
        });
    }
    group.finish();
    let html = String::from_utf8(corpus::html(16 * 1024)).expect("ASCII");
    let text = String::from_utf8(corpus::text(16 * 1024)).expect("ASCII");
    let cyrillic = "Съешь ещё этих мягких французских булок, да выпей чаю. ".repeat(200);
    let mut group = criterion.benchmark_group("search/kernels");
    group.throughput(Throughput::Bytes(html.len() as u64));
    group.bench_function("html", |bencher| {
        bencher.iter(|| html::visible(black_box(&html)))
    });
    for (name, text) in [("fold_ascii", &text), ("fold_cyrillic", &cyrillic)] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        let mut out = Vec::new();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                fold::fold_into(black_box(text), &mut out);
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = search_texts;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20);
    targets = make, look_up
}
criterion_main!(search_texts);
