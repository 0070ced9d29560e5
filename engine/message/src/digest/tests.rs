use super::*;
use crate::Scanner;
use ringpost_types::limit::Limits;

fn digest_of(message: &[u8]) -> Vec<u8> {
    Scanner::scan(&Limits::default(), message)
}

const NESTED: &[u8] = b"From: A <a@x>\r\nSubject: outer\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
--b\r\n\r\none\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\
Content-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\ntwo\r\n--c\r\nContent-Type: text/html\r\n\r\nthree\r\n--c--\r\n\
--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: plain\r\n\r\nfour\r\n--b--\r\n";

/// RFC 9051 §6.4.5.1: which part a number names.
#[test]
fn sections() {
    let octets = digest_of(NESTED);
    let digest = Digest::read(&octets).expect("just written");
    let cases: &[(&[u32], Option<&[u8]>)] = &[
        (&[], None),
        (&[1], Some(b"one")),
        (&[1, 1], None),
        (&[2, 1], Some(b"two")),
        (&[2, 2], Some(b"three")),
        (&[2, 3], None),
        (&[2, 0], None),
        (&[3, 1], Some(b"four")),
        (&[3, 2], None),
        (&[4], None),
        (&[u32::MAX], None),
    ];
    for (path, expected) in cases {
        let got = digest.find(path).map(|part| part.body.of(NESTED));
        assert_eq!(got, *expected, "{path:?}");
    }
    let inner = digest.find(&[2]).expect("there is one");
    let body = digest.nested(inner.index).expect("it is a message");
    assert!(body.header.of(NESTED).starts_with(b"Subject: inner\r\n"));
    assert!(body.header.of(NESTED).ends_with(b"boundary=c\r\n\r\n"));
    assert!(body.body.of(NESTED).starts_with(b"--c\r\n"));
    let envelope = digest
        .nested_envelope(inner.index)
        .expect("it is a message");
    assert_eq!(envelope.subject, Some(&b"inner"[..]));
    assert_eq!(digest.envelope().subject, Some(&b"outer"[..]));
    assert_eq!(digest.nested_envelope(1).map(|_| ()), None);
}

/// A message that is one message: 1 is the part, 1.1 its text.
#[test]
fn sections_of_a_bare_message_part() {
    let message = b"Subject: a\r\nContent-Type: message/rfc822\r\n\r\nSubject: b\r\n\r\ntext";
    let octets = digest_of(message);
    let digest = Digest::read(&octets).expect("just written");
    let part = digest.find(&[1]).expect("there is one");
    assert_eq!(part.body.of(message), b"Subject: b\r\n\r\ntext");
    assert_eq!(
        digest.find(&[1, 1]).map(|part| part.body.of(message)),
        Some(&b"text"[..])
    );
    assert_eq!(digest.envelope().subject, Some(&b"a"[..]));
    assert_eq!(
        digest
            .nested_envelope(0)
            .and_then(|envelope| envelope.subject),
        Some(&b"b"[..])
    );
}

#[test]
fn sender_and_reply_to_are_from() {
    let octets = digest_of(b"From: A <a@x>\r\nReply-To: r@x\r\n\r\n");
    let envelope = Digest::read(&octets).expect("just written").envelope();
    let all = |list: Addresses<'_>| format!("{:?}", list.collect::<Vec<_>>());
    assert_eq!(all(envelope.sender), all(envelope.from));
    assert_ne!(all(envelope.reply_to), all(envelope.from));
    assert!(envelope.to.is_empty());
}

/// Walks everything a view offers.
fn walk(digest: &Digest<'_>) {
    for index in 0..digest.parts() {
        let part = digest.part(index).expect("read() has checked it");
        assert_eq!(part.parameters.count(), part.parameters.into_iter().count());
        let _ = (part.disposition_parameters.count(), part.languages.count());
        let below: usize = digest
            .children(index)
            .map(|child| 1 + child.descendants)
            .sum();
        assert_eq!(below, part.descendants);
        if let Some(envelope) = digest.nested_envelope(index) {
            let _ = (
                envelope.from.count(),
                envelope.sender.count(),
                envelope.reply_to.count(),
            );
            let _ = (
                envelope.to.count(),
                envelope.cc.count(),
                envelope.bcc.count(),
            );
        }
    }
    let _ = (
        digest.envelope(),
        digest.header(),
        digest.body(),
        digest.find(&[1, 2, 3]),
    );
}

/// Every octet of a real digest changed, every length cut: damaged, or a digest that can be walked.
#[test]
fn hostile_octets() {
    let octets = digest_of(NESTED);
    for end in 0..octets.len() {
        if let Ok(digest) = Digest::read(&octets[..end]) {
            walk(&digest);
        }
    }
    for at in 0..octets.len() {
        for flip in [1, 0x80, 0xff, 0x7f, octets[at]] {
            let mut hostile = octets.clone();
            hostile[at] ^= flip;
            if let Ok(digest) = Digest::read(&hostile) {
                walk(&digest);
            }
        }
    }
    assert_eq!(Digest::read(b"").map(|_| ()), Err(Damaged));
    assert_eq!(
        Digest::read(&[VERSION, 0, 0, 0, 0, 0, 0]).map(|_| ()),
        Err(Damaged)
    );
}

proptest::proptest! {
    #[test]
    fn random_octets(octets in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
        let octets = [&[VERSION][..], &octets].concat();
        if let Ok(digest) = Digest::read(&octets) {
            walk(&digest);
        }
    }
}

/// What the layout promises about size.
#[test]
fn a_usual_mail_is_some_hundred_octets() {
    let message = b"Received: from a by b; Mon, 23 Nov 2026 10:00:00 +0000\r\n\
Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nFrom: Alice Example <alice@example.org>\r\nTo: Bob <bob@example.net>\r\n\
Subject: A subject of usual length for a mail\r\nMessage-ID: <20261123100000.12345@mail.example.org>\r\n\
MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello.\r\n";
    assert!(digest_of(message).len() < 300);
}
