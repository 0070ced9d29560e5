//! SEARCH TEXT and BODY against brute force: mails in many scripts, charsets, encodings and HTML, needles cut out of what
//! a reader sees. Each needle is sought through text rows behind the filter, through rows alone, and by reading the mail in
//! pieces; all find exactly the mails whose folded text contains the folded needle.

use proptest::prelude::*;
use ringpost_api::apply::{self, Edits, Rows, Terms};
use ringpost_api::behaviour::model::Memory;
use ringpost_api::search::build::Builder;
use ringpost_api::search::{self, Query, Round};
use ringpost_api::text::{self, PIECE_OCTETS, Scratch};
use ringpost_api::{Snapshot, Table, Write, key};
use ringpost_message::searchable::{self, Reader, Section};
use ringpost_message::{Digest, Scanner};
use ringpost_types::limit::Limits;
use ringpost_types::{AccountId, BlobId, MailboxId, Uid};

const INBOX: (AccountId, MailboxId) = (AccountId(1), MailboxId::INBOX);

/// Texts in which case matters and does not, and in which it is told apart by more than one octet.
const SCRIPTS: &[&str] = &[
    "The quick brown FOX ",
    "Größe STRAẞE straße ",
    "ΣΊΣΥΦΟΣ σίσυφος ",
    "İstanbul ISPARTA ıspanak ",
    "Съешь ЕЩЁ булок ",
    "Հայերեն ՀԱՅ ",
    "漢字かな交じり文 한국어 ",
    "العربية שלום ",
    "e\u{301}a\u{308} É Ä \u{212a}\u{17f} ",
    "😀👩\u{200d}👩\u{200d}👧🏽 ⱥȺ 𐐀𐐨 ",
];

/// One mail as it is to be written.
#[derive(Clone, Debug)]
struct Letter {
    subject: String,
    text: String,
    charset: Charset,
    encoding: Encoding,
    html: bool,
    enclosed: bool,
}

#[derive(Clone, Copy, Debug)]
enum Charset {
    Utf8,
    Utf16,
    /// Said to be that, and UTF-8 all the same.
    Ascii,
}

#[derive(Clone, Copy, Debug)]
enum Encoding {
    Plain,
    Base64,
    Quoted,
}

fn words() -> impl Strategy<Value = String> {
    let word = (0..SCRIPTS.len(), 0usize..20, 1usize..20).prop_map(|(script, from, length)| {
        let characters = SCRIPTS[script].chars().cycle();
        characters.skip(from).take(length).collect::<String>()
    });
    // No white space at the ends, which quoted-printable and HTML would change, and none that folds lines.
    proptest::collection::vec(word, 1..8).prop_map(|words| {
        let joined = words.concat();
        joined.split_whitespace().collect::<Vec<_>>().join(" ")
    })
}

fn letter() -> impl Strategy<Value = Letter> {
    let charset = prop_oneof![
        Just(Charset::Utf8),
        Just(Charset::Utf16),
        Just(Charset::Ascii)
    ];
    let encoding = prop_oneof![
        Just(Encoding::Plain),
        Just(Encoding::Base64),
        Just(Encoding::Quoted)
    ];
    let parts = (
        words(),
        words(),
        charset,
        encoding,
        any::<bool>(),
        any::<bool>(),
    );
    parts.prop_map(
        |(subject, text, charset, encoding, html, enclosed)| Letter {
            subject,
            text,
            // Octets of UTF-16 do not stand in a mail as they are.
            charset: match (charset, encoding) {
                (Charset::Utf16, Encoding::Plain) => Charset::Utf8,
                _ => charset,
            },
            encoding,
            html,
            enclosed,
        },
    )
}

impl Letter {
    fn octets(&self) -> Vec<u8> {
        let text = match self.html {
            true => self.as_html(),
            false => self.text.clone(),
        };
        let octets: Vec<u8> = match self.charset {
            Charset::Utf16 => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Charset::Utf8 | Charset::Ascii => text.into_bytes(),
        };
        let charset = match self.charset {
            Charset::Utf8 => "utf-8",
            Charset::Utf16 => "utf-16be",
            Charset::Ascii => "us-ascii",
        };
        let kind = if self.html { "html" } else { "plain" };
        let (encoding, body) = match self.encoding {
            Encoding::Plain => ("8bit", octets),
            Encoding::Base64 => (
                "base64",
                in_lines(&data_encoding::BASE64.encode(&octets), "\r\n"),
            ),
            Encoding::Quoted => {
                let quoted: String = octets.iter().map(|octet| format!("={octet:02X}")).collect();
                ("quoted-printable", in_lines(&quoted, "=\r\n"))
            }
        };
        let subject = data_encoding::BASE64.encode(self.subject.as_bytes());
        let head = format!(
            "Subject: =?utf-8?B?{subject}?=\r\nContent-Type: text/{kind}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
        );
        let mail = [head.as_bytes(), &body].concat();
        match self.enclosed {
            true => [b"Content-Type: message/rfc822\r\n\r\n", &mail[..]].concat(),
            false => mail,
        }
    }

    /// Each word and each character written in another way.
    fn as_html(&self) -> String {
        let mut html = String::from("<html><style>p { hidden }</style><body><p>");
        for (at, character) in self.text.chars().enumerate() {
            match (character, at % 5) {
                (' ', 0) => html.push_str(" \r\n\t"),
                (' ', 1) => html.push_str("&nbsp;"),
                (_, 2) => html.push_str(&format!("&#x{:X};", character as u32)),
                (_, 3) => html.push_str(&format!("<b title='>'>{character}</b>")),
                _ => html.push(character),
            }
        }
        html + "</p></body></html>"
    }
}

/// Cut into lines of 72 characters.
fn in_lines(text: &str, end: &str) -> Vec<u8> {
    let lines: Vec<&[u8]> = text.as_bytes().chunks(72).collect();
    lines.join(end.as_bytes())
}

/// The plainest folding: each character by itself.
fn folded(text: &str) -> String {
    text.chars().map(casefold::simple_fold_char).collect()
}

fn digest_of(mail: &[u8]) -> Vec<u8> {
    let mut scanner = Scanner::new(&Limits::default());
    scanner.feed(mail, 0);
    scanner.finish(mail, 0)
}

/// Rows of a mailbox with these mails, and a filter over the first `listed` of them.
fn mailbox(mails: &[Vec<u8>], listed: usize) -> Memory {
    let mut rows = Memory::default();
    let limits = Limits::default();
    let terms = Terms {
        now: 1,
        limits: &limits,
    };
    let write = |rows: &mut Memory, write: Write| {
        let done = apply::apply(rows, &write, terms, &mut Edits::default());
        done.expect("memory does not fail")
            .expect("a write that may be");
    };
    let name = "a@example.test".into();
    let secret = String::new();
    write(
        &mut rows,
        Write::AccountCreate {
            name,
            secret,
            scram: None,
        },
    );
    let inbox = key::mailbox(INBOX.0, INBOX.1);
    let mut row = rows
        .get(Table::Mailbox, &inbox)
        .expect("memory")
        .expect("INBOX")
        .to_vec();
    row[4..8].copy_from_slice(&(mails.len() as u32 + 1).to_le_bytes());
    rows.put(Table::Mailbox, &inbox, &row).expect("memory");
    let mut builder = Builder::new(Uid(1));
    for (number, mail) in (1..).zip(mails) {
        let digest = digest_of(mail);
        let digest = Digest::read(&digest).expect("a digest");
        let found = searchable::of(&digest, mail, 1 << 20).expect("little text");
        let row = text::encode(&found.keys, &found.text, found.inner, found.body);
        assert!(row.len() <= PIECE_OCTETS, "one piece");
        rows.put(Table::Text, &key::blob(BlobId(number)), &row)
            .expect("memory");
        if number as usize <= listed {
            let mut scratch = Scratch::default();
            let text = text::read(&rows, BlobId(number), &mut scratch).expect("readable");
            builder.add(Uid(number as u32), text.map(|text| [text.all(), &[][..]]));
        }
    }
    if listed > 0 {
        write(
            &mut rows,
            Write::Filter {
                account: INBOX.0,
                mailbox: INBOX.1,
                first: Uid(1),
                rows: builder.rows(),
            },
        );
    }
    rows
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    Text,
    Body,
}

/// Behind the filter, through rows: numbers of the mails that are found.
fn through_rows(rows: &Memory, mails: usize, needle: &str, place: Where) -> Vec<usize> {
    let query = Query::contains(needle.as_bytes());
    let (mut uids, mut from) = (Vec::new(), Uid(1));
    while let Round::More(next) = {
        let asked = search::candidates(rows, INBOX, &query, from, 1, &mut uids);
        let (round, _) = asked.expect("readable");
        if let Round::Done(next) = round {
            from = next;
        }
        round
    } {
        from = next;
    }
    uids.extend((from.0..=mails as u32).map(Uid));
    let mut scratch = Scratch::default();
    let mut found = Vec::new();
    for uid in uids {
        let row = text::read(rows, BlobId(uid.0.into()), &mut scratch).expect("readable");
        let text = row.expect("a row");
        let hay = match place {
            Where::Text => text.text(),
            Where::Body => text.body(),
        };
        if memchr::memmem::find(hay, needle.as_bytes()).is_some() {
            found.push(uid.0 as usize - 1);
        }
    }
    found
}

/// By reading the mail itself, `chunk` octets at a time.
fn by_reading(mail: &[u8], needle: &str, place: Where, chunk: usize) -> bool {
    let digest = digest_of(mail);
    let digest = Digest::read(&digest).expect("a digest");
    let mut reader = Reader::default();
    searchable::pieces(&digest).any(|piece| {
        let mut text = Vec::new();
        reader.begin(&piece);
        for octets in piece.span.of(mail).chunks(chunk) {
            reader.feed(octets, &mut text);
        }
        reader.finish(&mut text);
        let counts = place == Where::Text || piece.section == Section::Body;
        counts && memchr::memmem::find(&text, needle.as_bytes()).is_some()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn as_brute_force(
        letters in proptest::collection::vec(letter(), 1..24),
        chosen in any::<prop::sample::Index>(),
        from in 0usize..40,
        length in 0usize..12,
        listed in 0usize..24,
        chunk in 1usize..100,
        upper in any::<bool>(),
    ) {
        let mails: Vec<Vec<u8>> = letters.iter().map(Letter::octets).collect();
        let rows = mailbox(&mails, listed.min(mails.len()));
        let source = chosen.get(&letters);
        for text in [&source.text, &source.subject] {
            let cut: String = text.chars().skip(from % text.chars().count().max(1)).take(length).collect();
            // In the other case, where that is one character for one.
            let cut: String = cut.chars().map(|character| {
                let mut other = character.to_uppercase();
                match (other.next(), other.next()) {
                    (Some(one), None) if upper && casefold::simple_fold_char(one) == casefold::simple_fold_char(character) => one,
                    _ => character,
                }
            }).collect();
            let needle = folded(&cut);
            // So are those that the space in front of a value begins.
            let lone = needle.trim().len() < 4 || needle.is_ascii() || needle.starts_with(' ');
            let body: Vec<usize> = (0..letters.len()).filter(|&at| {
                let letter = &letters[at];
                folded(&letter.text).contains(&needle) || letter.enclosed && folded(&letter.subject).contains(&needle)
            }).collect();
            let through = through_rows(&rows, mails.len(), &needle, Where::Body);
            let all = through_rows(&rows, mails.len(), &needle, Where::Text);
            // Names and MIME values of fields are ASCII: of short and ASCII needles TEXT may find more than texts show.
            let shown: Vec<usize> = (0..letters.len()).filter(|&at| {
                folded(&letters[at].text).contains(&needle) || folded(&letters[at].subject).contains(&needle)
            }).collect();
            if lone {
                prop_assert!(body.iter().all(|at| through.contains(at)), "{needle:?}: {body:?} {through:?}");
                prop_assert!(shown.iter().all(|at| all.contains(at)), "{needle:?}: {shown:?} {all:?}");
            } else {
                prop_assert_eq!(&through, &body, "BODY {:?}", &needle);
                prop_assert_eq!(&all, &shown, "TEXT {:?}", &needle);
            }
            for (at, mail) in mails.iter().enumerate() {
                prop_assert_eq!(by_reading(mail, &needle, Where::Body, chunk), through.contains(&at), "BODY {:?} read", &needle);
                prop_assert_eq!(by_reading(mail, &needle, Where::Text, chunk), all.contains(&at), "TEXT {:?} read", &needle);
            }
        }
    }
}
