//! Mails: the scanner and its digest, digests that were tampered with, address lists.

use super::{Target, cuts};
use crate::mail;
use crate::random::Random;
use ringpost_mailauth::{BodyHashes, Signature};
use ringpost_message::digest::{Address, Addresses, Envelope};
use ringpost_message::{Digest, Scanner, Span, address, date, header, text, word};
use ringpost_types::limit::Limits;

const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"--",
    b"--b1\r\n",
    b"--b1--\r\n",
    b"Content-Type: multipart/mixed; boundary=b1\r\n",
    b"Content-Type: message/rfc822\r\n\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"boundary=\"",
    b"=?utf-8?q?=C3=A9?=",
    b"=?utf-8?b?",
    b"From: ",
    b"<a@b.example>",
    b"group: a@b.example;",
    b"\"",
    b"(((",
    b"filename*0*=utf-8''%C3",
];

pub const MESSAGE: Target = Target {
    name: "message",
    seeds: || {
        mail::samples()
            .into_iter()
            .map(|sample| sample.octets)
            .collect()
    },
    words: WORDS,
    check: check_message,
};

pub const DIGEST: Target = Target {
    name: "message-digest",
    seeds: || {
        mail::samples()
            .iter()
            .map(|sample| digest(&sample.octets, &[]))
            .collect()
    },
    words: &[
        b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
        b"\xff\xff\xff\xff",
        b"\0\0\0\0",
    ],
    check: |input, _| walk(input, None),
};

pub const ADDRESS: Target = Target {
    name: "message-address",
    seeds: || {
        const LISTS: &[&str] = &[
            "Joe Q. Public <john.q.public@example.com>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
            "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;, undisclosed-recipients:;",
            "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
            "=?utf-8?q?J=C3=B6rg?= <@route.example:joerg@example.org>, \u{e9}@\u{e9}.example",
        ];
        LISTS.iter().map(|list| list.as_bytes().to_vec()).collect()
    },
    words: &[
        b",",
        b";",
        b":",
        b"<",
        b">",
        b"@",
        b"(",
        b")",
        b"\"",
        b"\\",
        b"((((",
        b"=?utf-8?b?",
    ],
    check: |input, _| {
        let mut items = 0;
        address::parse(input, &mut |_| items += 1);
        assert!(items <= 2 * input.len() + 2);
        word::decode(input);
        text::decode(input, b"quoted-printable", Some(b"utf-8"));
        text::decode(input, b"base64", Some(b"iso-2022-jp"));
    },
};

pub const SIGNATURE: Target = Target {
    name: "dkim-signature",
    seeds: || {
        const VALUES: &[&str] = &[
            "v=1; a=rsa-sha256; d=example.net; s=brisbane; c=simple; q=dns/txt; i=@eng.example.net; t=1117574938; \
             x=1118006938; h=from:to:subject:date; z=From:foo@eng.example.net|To:joe@example.com; \
             bh=MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=; b=dzdVyOfAKCdLXdJOc9G2q8LoXSlEniSbav+yuU4zGeeruD00",
            " v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; l=10; s=x; h=from;\r\n \
             bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; b=AAAA",
        ];
        VALUES
            .iter()
            .map(|value| value.as_bytes().to_vec())
            .collect()
    },
    words: &[
        b";",
        b"=",
        b"l=",
        b"bh=",
        b"c=relaxed/",
        b"\r\n ",
        b"v=1;",
        b"a=rsa-sha256;",
    ],
    check: |input, random| {
        // The same tags, in whatever order they are asked for, give the same; and a body is hashed as it comes.
        let read = Signature::parse(input);
        assert_eq!(read, Signature::parse(input));
        let body = input.repeat(2);
        let whole = hashed(input, &body, &[body.len()]);
        let cuts = cuts(body.len(), random);
        assert_eq!(whole, hashed(input, &body, &cuts), "cut at {cuts:?}");
    },
};

fn hashed(value: &[u8], body: &[u8], cuts: &[usize]) -> String {
    let mut hashes = BodyHashes::new([value]);
    let mut from = 0;
    for &to in cuts {
        hashes.update(&body[from..to]);
        from = to;
    }
    format!("{:?}", hashes.finish())
}

/// The digest of a message that arrives in pieces and is let go of as soon as may be.
fn digest(message: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut scanner = Scanner::new(&Limits::default());
    for &cut in cuts {
        let base = scanner.keep_from();
        scanner.feed(&message[base..cut], base);
    }
    let base = scanner.keep_from();
    scanner.finish(&message[base..], base)
}

fn check_message(input: &[u8], random: &mut Random) {
    let at_once = digest(input, &[]);
    let cuts = cuts(input.len(), random);
    assert!(at_once == digest(input, &cuts), "cut at {cuts:?}");
    assert!(Digest::read(&at_once).is_ok(), "what is written reads back");
    walk(&at_once, Some(input));
}

/// Asks a digest everything; with its message, spans lie in it.
fn walk(octets: &[u8], message: Option<&[u8]>) {
    let Ok(digest) = Digest::read(octets) else {
        return;
    };
    let inside = |span: Span| assert!(message.is_none_or(|message| span.end <= message.len()));
    envelope(&digest.envelope(), message.is_some());
    inside(digest.header());
    inside(digest.body());
    for index in 0..digest.parts() {
        let part = digest.part(index).expect("a part for each index");
        inside(part.header);
        inside(part.body);
        assert_eq!(part.index, index);
        if let Some(nested) = digest.nested(index) {
            inside(nested.body);
        }
        if let Some(inner) = digest.nested_envelope(index) {
            envelope(&inner, message.is_some());
        }
        let children = digest.children(index).count();
        assert!(children <= digest.parts());
        digest.find(&[1, index as u32, 2]);
        if let Some(message) = message {
            let mut taken = Vec::new();
            header::select(
                part.header.of(message),
                &["subject"],
                header::Take::Named,
                &mut taken,
            );
            assert!(taken.len() <= part.header.len() + 2);
        }
    }
}

/// Asks an envelope everything; in one that was not tampered with, no string breaks a line.
fn envelope(envelope: &Envelope<'_>, genuine: bool) {
    let lists = [
        envelope.from,
        envelope.sender,
        envelope.reply_to,
        envelope.to,
        envelope.cc,
        envelope.bcc,
    ];
    for list in lists {
        addresses(list, genuine);
    }
    if let Some(subject) = envelope.subject {
        assert!(
            !genuine
                || !subject
                    .iter()
                    .any(|octet| matches!(octet, b'\r' | b'\n' | 0))
        );
        word::decode(subject);
    }
    if let Some(value) = envelope.date {
        date::parse(value);
    }
}

fn addresses(list: Addresses<'_>, genuine: bool) {
    for address in list {
        if let Address::Mailbox { mailbox, host, .. } = address {
            let broken = |octet: &u8| matches!(octet, b'\r' | b'\n' | 0);
            assert!(!genuine || !mailbox.iter().chain(host).any(broken));
        }
    }
}
