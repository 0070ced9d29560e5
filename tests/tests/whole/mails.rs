//! The folder of mails is what the generator makes. `RINGPOST_GOLDEN=write` writes it anew. And its mails are scanned through
//! a window as if they were whole in memory.

use ringpost_message::Scanner;
use ringpost_tests::mail::{attached, samples};
use ringpost_types::limit::Limits;
use std::collections::BTreeSet;
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("mail")
}

#[test]
fn folder_and_generator_agree() {
    let write = std::env::var_os("RINGPOST_GOLDEN").is_some_and(|value| value == "write");
    let mut names = BTreeSet::new();
    for sample in samples() {
        let path = folder().join(format!("{}.eml", sample.name));
        if write {
            std::fs::write(&path, &sample.octets).expect("the folder can be written");
        }
        let stored = std::fs::read(&path).unwrap_or_default();
        assert!(
            stored == sample.octets,
            "{}: RINGPOST_GOLDEN=write makes it",
            path.display()
        );
        assert!(names.insert(path), "two mails of one name");
    }
    let entries = std::fs::read_dir(folder()).expect("the folder is there");
    for path in entries.map(|entry| entry.expect("readable").path()) {
        let is_mail = path.extension().is_some_and(|extension| extension == "eml");
        assert!(
            !is_mail || names.contains(&path),
            "{} is not made here",
            path.display()
        );
    }
}

#[test]
fn a_large_attachment_has_the_size_asked_for() {
    let mail = attached(100_000, 1);
    assert_eq!(mail, attached(100_000, 1));
    assert!(mail.len() > 100_000 * 4 / 3);
    assert!(
        mail.split(|&octet| octet == b'\n')
            .all(|line| line.len() <= 77)
    );
}

/// The digest of a mail that comes `step` octets at a time and is let go of as soon as may be.
fn in_windows(limits: &Limits, mail: &[u8], step: usize) -> Vec<u8> {
    let mut scanner = Scanner::new(limits);
    for end in (0..mail.len()).step_by(step) {
        let base = scanner.keep_from();
        scanner.feed(&mail[base..end], base);
    }
    let base = scanner.keep_from();
    scanner.finish(&mail[base..], base)
}

/// Every mail, alone and all of them as parts of one; also where headers are longer than is read.
#[test]
fn a_window_does_not_show() {
    let mut mails: Vec<Vec<u8>> = samples().into_iter().map(|mail| mail.octets).collect();
    let mut all = b"Content-Type: multipart/mixed; boundary=all\r\n\r\n--all\r\n".to_vec();
    for mail in &mails {
        all.extend_from_slice(b"Content-Type: message/rfc822\r\n\r\n");
        all.extend_from_slice(mail);
        all.extend_from_slice(b"\r\n--all\r\n");
    }
    mails.push(all);
    for header_octets_max in [Limits::default().message_header_octets_max, 200] {
        let limits = Limits {
            message_header_octets_max: header_octets_max,
            ..Limits::default()
        };
        for mail in &mails {
            let whole = Scanner::scan(&limits, mail);
            for step in [1, 7, 100, 4_096] {
                let digest = in_windows(&limits, mail, step);
                assert!(digest == whole, "{:?}", String::from_utf8_lossy(mail));
            }
        }
    }
}
