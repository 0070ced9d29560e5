//! The folder of mails is what the generator makes. `RINGPOST_GOLDEN=write` writes it anew.

use ringpost_tests::mail::{attached, samples};
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
