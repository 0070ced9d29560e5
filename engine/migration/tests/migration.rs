//! Whole imports and exports, with a real store and real directories.

mod common;

use common::{Message, World, order, put};
use ringpost_api::table::flag::*;
use ringpost_api::write::Position;
use ringpost_api::{Store, read};
use ringpost_log::recover::{Found, Recovery};
use ringpost_log::{Blocking, Body, Log, OPERATIONS, Options, Reader, Record, file};
use ringpost_migration::import::FolderReport;
use ringpost_migration::mailboxes::Naming;
use ringpost_migration::mbox::Dialect;
use ringpost_migration::source::Format;
use ringpost_migration::{Error, Told};
use std::fs;
use std::future::Future;
use std::ops::ControlFlow;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Waker};

const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";
const MBOX: Format = Format::Mbox(Dialect::Guess);

fn message(mailbox: &str, flags: u32, keywords: &[&str], date: u64, octets: &str) -> Message {
    Message {
        mailbox: mailbox.into(),
        flags,
        keywords: keywords.iter().map(|keyword| (*keyword).into()).collect(),
        date,
        octets: octets.into(),
    }
}

/// A Maildir with all that one can have.
fn maildir(root: &Path) {
    put(root, "cur/2.b:2,S", "Subject: two\n\nx\n", 2_000);
    put(
        root,
        "cur/1.a,S=15:2,FRab",
        "Subject: one\n\nFrom x\n>From y",
        1_000,
    );
    put(root, "new/3.c", "Subject: three\r\n\r\nx\r\n", 3_000);
    put(root, "tmp/4.d", "being delivered", 0);
    put(root, "dovecot-keywords", "0 $Label1\n1 Work\n", 0);
    put(
        root,
        "dovecot-uidlist",
        "3 V1 N9 G0\n5 :2.b\n7 :1.a,S=15\n",
        0,
    );
    put(root, "subscriptions", "Sent\nLists.rust\nNowhere\n", 0);
    put(root, ".Sent Items/cur/5.e:2,SP", "Subject: sent\n\n", 4_000);
    put(root, ".Spam/new/6.f", "Subject: spam\n\n", 5_000);
    put(root, ".Lists.rust/cur/7.g:2,DT", " \n", 0);
    put(root, ".Entw&APw-rfe/cur/8.h:2,", "", 4_102_444_800);
    put(root, ".100% *odd/cur/9.i:2,S", "a\n", 7);
}

fn expected() -> Vec<Message> {
    vec![
        message("100_ _odd", SEEN, &[], 7, "a\r\n"),
        message("Entwürfe", 0, &[], 4_102_444_800, ""),
        message("INBOX", SEEN, &[], 2_000, "Subject: two\r\n\r\nx\r\n"),
        message(
            "INBOX",
            FLAGGED | ANSWERED,
            &["$Label1", "Work"],
            1_000,
            "Subject: one\r\n\r\nFrom x\r\n>From y",
        ),
        message("INBOX", 0, &[], 3_000, "Subject: three\r\n\r\nx\r\n"),
        message("Junk", 0, &[], 5_000, "Subject: spam\r\n\r\n"),
        message("Lists/rust", DRAFT | DELETED, &[], 0, " \r\n"),
        message(
            "Sent",
            SEEN,
            &["$Forwarded"],
            4_000,
            "Subject: sent\r\n\r\n",
        ),
    ]
}

#[test]
fn a_maildir_comes_in_whole_and_once() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let root = scratch.path().join("Maildir");
    maildir(&root);
    let world = World::open(scratch.path(), &[ALICE]);
    let wanted = order(ALICE, &root, Format::Maildir);

    let mut dry = wanted.clone();
    dry.dry_run = true;
    let (report, troubles) = world.import(&dry);
    let report = report.expect("listed");
    assert!(report.dry_run && troubles.is_empty());
    assert_eq!(report.folders.iter().map(|f| f.imported).sum::<u64>(), 8);
    assert!(world.messages(ALICE).is_empty());

    let (report, troubles) = world.import(&wanted);
    let report = report.expect("imported");
    assert!(troubles.is_empty(), "{troubles:?}");
    assert_eq!(world.messages(ALICE), expected());
    let mut names = world.mailboxes(ALICE);
    names.sort();
    assert_eq!(
        names,
        [
            "+Archive",
            "+Drafts",
            "+INBOX",
            "+Junk",
            "+Lists/rust",
            "+Sent",
            "+Trash",
            "100_ _odd",
            "Entwürfe",
            "Lists"
        ]
    );
    let inbox = FolderReport {
        source: fs::canonicalize(&root)
            .expect("there")
            .display()
            .to_string(),
        mailbox: "INBOX".into(),
        imported: 3,
        octets: 71,
        ..FolderReport::default()
    };
    assert_eq!(report.folders[0], inbox);

    // Once more: nothing is new. Other flags, another place: the same mail.
    fs::rename(root.join("new/3.c"), root.join("cur/3.c:2,S")).expect("renamed");
    put(&root, "new/10.j", "Subject: late\n\n", 9_000);
    let (report, _) = world.import(&wanted);
    let report = report.expect("imported");
    assert_eq!(
        (report.folders[0].imported, report.folders[0].known),
        (1, 3)
    );
    assert_eq!(world.messages(ALICE).len(), 9);

    // Unless that is wanted; below a folder, under their own names.
    let mut again = wanted.clone();
    again.again = true;
    again.naming = Naming {
        into: Some("Old".into()),
        keep: false,
    };
    let (report, _) = world.import(&again);
    let report = report.expect("imported");
    let mut into: Vec<_> = report.folders.iter().map(|f| &*f.mailbox).collect();
    into.sort_unstable();
    assert_eq!(
        into,
        [
            "Old",
            "Old/100_ _odd",
            "Old/Entwürfe",
            "Old/Lists/rust",
            "Old/Sent Items",
            "Old/Spam"
        ]
    );
    assert_eq!(world.messages(ALICE).len(), 18);
    let (report, _) = world.import(&wanted);
    assert_eq!(report.expect("imported").folders[0].imported, 0);
}

#[test]
fn round_trips_keep_everything() {
    for (format, name) in [(Format::Maildir, "maildir"), (MBOX, "mbox")] {
        let scratch = tempfile::tempdir().expect("a scratch directory");
        let root = scratch.path().join("Maildir");
        maildir(&root);
        for (at, mailbox) in [".a\\2eb", ".INBOX.R&-D", ".&ZeVnLIqe-.\\5cx", ".\\2e\\2e"]
            .iter()
            .enumerate()
        {
            let mail = "Status: RO\nX-Keywords: mine\n\n\nFrom a@b Thu Jan  1 00:00:07 1970\n\n";
            put(&root, &format!("{mailbox}/cur/{at}.z:2,S"), mail, 11);
        }
        let world = World::open(scratch.path(), &[ALICE, BOB]);
        let (report, troubles) = world.import(&order(ALICE, &root, Format::Maildir));
        report.expect("imported");
        assert!(troubles.is_empty(), "{troubles:?}");
        let target = scratch.path().join(name);
        let (report, troubles) = world.export(ALICE, format, &target);
        assert!(troubles.is_empty(), "{troubles:?}");
        assert_eq!(report.mailboxes.iter().map(|m| m.exported).sum::<u64>(), 12);
        // Nothing is written twice.
        let (report, _) = world.export(ALICE, format, &target);
        let sums = report.mailboxes.iter();
        let sums = sums
            .map(|m| (m.exported, m.known))
            .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        assert_eq!(sums, (0, 12), "{name}");

        let (report, troubles) = world.import(&order(BOB, &target, format));
        report.expect("imported");
        assert!(troubles.is_empty(), "{troubles:?}");
        assert_eq!(world.messages(BOB), world.messages(ALICE), "{name}");
        let strip = |name: String| name.trim_start_matches('+').to_owned();
        let names = |account| {
            world
                .mailboxes(account)
                .into_iter()
                .map(strip)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(BOB), names(ALICE), "{name}");
        if format == Format::Maildir {
            assert_eq!(world.mailboxes(BOB), world.mailboxes(ALICE));
        }
    }
}

#[test]
fn exports_go_on_and_follow_flags() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let (root, target) = (scratch.path().join("Maildir"), scratch.path().join("out"));
    put(&root, "cur/1.a:2,", "A: b\n\n", 1);
    put(&root, "cur/2.b:2,", "C: d\n\n", 2);
    let world = World::open(scratch.path(), &[ALICE]);
    world
        .import(&order(ALICE, &root, Format::Maildir))
        .0
        .expect("imported");
    world.export(ALICE, Format::Maildir, &target);
    let listed = || {
        let mut names: Vec<_> = fs::read_dir(target.join("cur"))
            .expect("a folder")
            .map(|entry| {
                entry
                    .expect("readable")
                    .file_name()
                    .into_string()
                    .expect("ASCII")
            })
            .collect();
        names.sort();
        names
    };
    let before = listed();
    // A program reads one, the machine fails over the other.
    fs::rename(
        target.join("cur").join(&before[0]),
        target.join("cur").join(format!("{}F", before[0])),
    )
    .expect("renamed");
    fs::write(target.join("cur").join(&before[1]), "").expect("written");
    put(&root, "cur/3.c:2,S", "E: f\n\n", 3);
    world
        .import(&order(ALICE, &root, Format::Maildir))
        .0
        .expect("imported");
    let (report, _) = world.export(ALICE, Format::Maildir, &target);
    let inbox = report
        .mailboxes
        .iter()
        .find(|m| m.mailbox == "INBOX")
        .expect("there");
    assert_eq!((inbox.exported, inbox.known, inbox.updated), (2, 1, 1));
    let after = listed();
    assert_eq!(after[..2], before);
    assert!(after[2].ends_with(":2,S"));
    assert_eq!(
        fs::read_to_string(target.join("cur").join(&after[1])).expect("there"),
        "C: d\n\n"
    );
}

#[test]
fn an_mbox_export_goes_on_behind_its_own_and_spares_what_is_not() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let (root, target) = (scratch.path().join("Maildir"), scratch.path().join("out"));
    put(&root, "cur/1.a:2,", "A: b\n\n", 1);
    let world = World::open(scratch.path(), &[ALICE]);
    world
        .import(&order(ALICE, &root, Format::Maildir))
        .0
        .expect("imported");
    world.export(ALICE, MBOX, &target);
    let file = target.join("INBOX.mbox");
    let first = fs::read_to_string(&file).expect("there");
    assert_eq!(
        first,
        "From MAILER-DAEMON Thu Jan  1 00:00:01 1970\n\
         X-Ringpost-Octets: 6\nStatus: O\nA: b\n\n\n"
    );
    put(&root, "cur/2.b:2,", "C: d\n\n", 2);
    world
        .import(&order(ALICE, &root, Format::Maildir))
        .0
        .expect("imported");
    // A run that was killed in the middle of a mail.
    let state = target.join(".INBOX.mbox.state");
    let text = fs::read_to_string(&state).expect("there");
    fs::write(
        &state,
        text.replace("\"writing\":false", "\"writing\":true"),
    )
    .expect("written");
    fs::write(&file, format!("{first}From half a m")).expect("written");
    let (report, troubles) = world.export(ALICE, MBOX, &target);
    assert!(troubles.is_empty(), "{troubles:?}");
    let inbox = report
        .mailboxes
        .iter()
        .find(|m| m.mailbox == "INBOX")
        .expect("there");
    assert_eq!((inbox.exported, inbox.known), (1, 1));
    let second = fs::read_to_string(&file).expect("there");
    assert!(
        second.starts_with(&first) && second.ends_with("\nC: d\n\n\n"),
        "{second}"
    );
    // Somebody else has written to it.
    fs::write(&file, format!("{second}x")).expect("written");
    let (_, troubles) = world.export(ALICE, MBOX, &target);
    assert_eq!(troubles.len(), 1, "{troubles:?}");
    assert_eq!(
        fs::read_to_string(&file).expect("there"),
        format!("{second}x")
    );
}

#[test]
fn mbox_files_and_their_flags() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let root = scratch.path().join("mail");
    let from = "From a@b Fri Nov 21 15:55:06 1997\n";
    let one = format!("{from}Status: RO\nX-Status: A\nSubject: one\n\n>From x\n\n");
    let undated = "From me\nDate: Thu, 1 Jan 1970 00:00:09 +0000\n\n";
    put(&root, "Inbox", &format!("{one}{one}"), 0);
    put(&root, "Inbox.msf", "not mail", 0);
    put(&root, "Sent.sbd/2020", undated, 0);
    let world = World::open(scratch.path(), &[ALICE]);
    let wanted = order(ALICE, &root, MBOX);
    let (report, troubles) = world.import(&wanted);
    report.expect("imported");
    assert!(troubles.is_empty(), "{troubles:?}");
    let mail = "Subject: one\r\n\r\nFrom x\r\n";
    let twice = message("INBOX", SEEN | ANSWERED, &[], 880_127_706, mail);
    let undated = "Date: Thu, 1 Jan 1970 00:00:09 +0000\r\n";
    let expected = [
        twice.clone(),
        twice,
        message("Sent/2020", 0, &[], 9, undated),
    ];
    assert_eq!(world.messages(ALICE), expected);
    // One is cut out of the file, one comes; other flags make no other mail.
    let seen = one.replace("RO", "O").replace("X-Status: A\n", "");
    put(&root, "Inbox", &format!("{seen}{from}Subject: two\n\n"), 0);
    let (report, _) = world.import(&wanted);
    let folder = &report.expect("imported").folders[0];
    assert_eq!((folder.imported, folder.known), (1, 1));
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_comes() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let root = scratch.path().join("Maildir");
    let mut world = World::open(scratch.path(), &[ALICE]);
    world.limits.message_octets_max = 1_000;
    put(&root, "cur/1.a:2,", "A: b\n\n", 1);
    put(&root, "cur/2.b:2,", &"x".repeat(1_001), 1);
    put(&root, "cur/3.c:2,", &"\n".repeat(501), 1);
    put(&root, "cur/4.d:2,", &"y".repeat(1_000), 1);
    put(&root, "cur/5.e,S=99:2,", "BZh91AY packed", 1);
    fs::create_dir(root.join("cur/6.f:2,")).expect("made");
    std::os::unix::fs::symlink("/etc/passwd", root.join("cur/7.g:2,")).expect("linked");
    put(
        &root,
        &format!(".{}/cur/8.h", "n".repeat(250)),
        "A: b\n\n",
        1,
    );
    put(
        &root,
        &format!(".{}.{}/cur/8.h", "n".repeat(120), "m".repeat(120)),
        "A: b\n\n",
        1,
    );
    world.limits.mailbox_name_octets_max = 240;
    let (report, troubles) = world.import(&order(ALICE, &root, Format::Maildir));
    let report = report.expect("imported");
    let failed: Vec<_> = troubles
        .iter()
        .map(|trouble| {
            trouble
                .path
                .rsplit('/')
                .next()
                .expect("a name")
                .split('.')
                .next()
        })
        .collect();
    assert_eq!(report.troubles, 7, "{troubles:?} {failed:?}");
    assert_eq!(report.folders[0].failed, 5);
    let octets: Vec<_> = world
        .messages(ALICE)
        .iter()
        .map(|m| m.octets.len())
        .collect();
    assert_eq!(octets, [8, 1_000]);

    let no_maildir = order(ALICE, scratch.path(), Format::Maildir);
    let (report, _) = world.import(&no_maildir);
    let error = report.expect_err("refused").to_string();
    assert!(error.contains("Maildir is one"), "{error}");
    let (report, _) = world.import(&order("nobody@example.test", &root, Format::Maildir));
    assert!(matches!(report, Err(Error::Asked(_))));
    let (report, _) = world.import(&order(ALICE, &root.join("absent"), MBOX));
    assert!(matches!(report, Err(Error::Io(..))));
    put(scratch.path(), "notes.txt", "Dear diary\n", 1);
    let (report, troubles) = world.import(&order(ALICE, &scratch.path().join("notes.txt"), MBOX));
    assert_eq!(report.expect("done").troubles, 1);
    assert!(troubles[0].reason.contains("not an mbox"), "{troubles:?}");
}

#[test]
fn an_ended_run_goes_on() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let root = scratch.path().join("Maildir");
    for number in 0..2_500 {
        put(
            &root,
            &format!("cur/{number:04}.x:2,"),
            &format!("Subject: {number}\n\n"),
            number,
        );
    }
    let world = World::open(scratch.path(), &[ALICE]);
    let wanted = order(ALICE, &root, Format::Maildir);
    let mut runs = 0;
    loop {
        runs += 1;
        let (report, _) = world.import_while(&wanted, |told| match told {
            Told::Progress { done, .. } if *done >= runs * 1_000 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
        match report {
            Err(Error::Ended) => assert!(runs < 9),
            report => {
                report.expect("imported");
                break;
            }
        }
    }
    assert_eq!(runs, 3);
    let dates: Vec<u64> = world.messages(ALICE).iter().map(|m| m.date).collect();
    assert_eq!(dates, (0..2_500).collect::<Vec<u64>>());
}

/// A mail that is durable in the log and that the index could not take, for damage of its own, is not written over.
#[test]
fn what_the_index_could_not_take_stays_in_the_log() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let world = World::open(scratch.path(), &[ALICE]);
    let import = |name: &str| {
        let root = scratch.path().join(name);
        put(&root, "cur/1.x:2,", &format!("Subject: {name}\n\n"), 1);
        let (report, _) = world.import(&order(ALICE, &root, Format::Maildir));
        report.expect("imported");
    };
    import("first");
    let applied = {
        let snapshot = world.store.snapshot().expect("a snapshot");
        read::applied(&*snapshot, OPERATIONS).expect("rows")
    };
    append_untold(&world.data, applied);
    import("second");
    let mut recovery = Recovery::open(&world.data, OPERATIONS, Position::default()).expect("a log");
    let mut mails = Vec::new();
    let reader = Reader::new(Blocking, &world.data);
    while let Some(found) = recovery.step().expect("readable") {
        let Found::Record(entry) = found else {
            panic!("{found:?}");
        };
        let octets = file::now(reader.whole(&entry.place())).expect("its octets");
        mails.push(String::from_utf8(octets).expect("text"));
    }
    let expected = ["first", "kept", "second"].map(|name| format!("Subject: {name}\r\n\r\n"));
    assert_eq!(mails, expected);
}

/// Appends a mail of which the index does not hear.
fn append_untold(data: &Path, end: Position) {
    let opened = Log::open(Blocking, data, OPERATIONS, end, Options::default());
    let (log, driver) = file::now(opened).expect("a log");
    let record = Record {
        targets: Vec::new(),
        items: Vec::new(),
        digest: Vec::new(),
        text: Vec::new(),
        body: Body::Whole(b"Subject: kept\r\n\r\n".to_vec()),
    };
    let append = log.append(record, None);
    let (mut driver, mut closed) = (pin!(driver.run(|_, _| ())), pin!(log.close()));
    let context = &mut Context::from_waker(Waker::noop());
    while closed.as_mut().poll(context).is_pending() {
        let _ = driver.as_mut().poll(context);
    }
    file::now(append).expect("durable");
}
