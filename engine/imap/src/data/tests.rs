//! Responses as RFC 3501 §7 and its extensions show them.

use super::*;

fn check(expected: &str, write: impl FnOnce(&mut Vec<u8>)) {
    let mut out = Vec::new();
    write(&mut out);
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn mailbox_data() {
    check("* 23 EXISTS\r\n", |out| exists(out, 23));
    check("* 0 RECENT\r\n", |out| recent(out, 0));
    check("* 44 EXPUNGE\r\n", |out| expunge(out, 44));
    let system = flag::ANSWERED | flag::FLAGGED | flag::DELETED | flag::SEEN | flag::DRAFT;
    check(
        "* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft $Junk)\r\n",
        |out| flags(out, system, ["$Junk"]),
    );
    check("* SEARCH 2 3 6\r\n", |out| search(out, [2, 3, 6]));
    check("* SEARCH\r\n", |out| search(out, []));
    check("* ENABLED X Y\r\n", |out| enabled(out, ["X", "Y"]));
    check("* CAPABILITY IMAP4rev1 IDLE\r\n", |out| {
        capability(out, "IMAP4rev1 IDLE")
    });
}

#[test]
fn lists() {
    let listed = Listed {
        response: "LIST",
        attributes: &["\\Noselect", "\\HasChildren"],
        delimiter: Some(b'/'),
        mailbox: "Entwürfe & mehr",
        child_subscribed: false,
    };
    check(
        "* LIST (\\Noselect \\HasChildren) \"/\" \"Entw&APw-rfe &- mehr\"\r\n",
        |out| list(out, listed),
    );
    let listed = Listed {
        response: "LSUB",
        attributes: &[],
        delimiter: None,
        mailbox: "INBOX",
        child_subscribed: true,
    };
    check(
        "* LSUB () NIL INBOX (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n",
        |out| list(out, listed),
    );
    let items = StatusItems(StatusItems::UIDNEXT.0 | StatusItems::MESSAGES.0);
    check(
        "* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)\r\n",
        |out| {
            status(out, "blurdybloop", items, |item| match item {
                StatusItems::MESSAGES => 231,
                _ => 44292,
            })
        },
    );
}

#[test]
fn extended_search() {
    let answer = Esearch {
        tag: "A285",
        uid: true,
        min: Some(7),
        max: Some(3800),
        ..Esearch::default()
    };
    check("* ESEARCH (TAG \"A285\") UID MIN 7 MAX 3800\r\n", |out| {
        esearch(out, &answer)
    });
    let answer = Esearch {
        tag: "A",
        all: Some(&[]),
        count: Some(0),
        ..Esearch::default()
    };
    check("* ESEARCH (TAG \"A\") COUNT 0\r\n", |out| {
        esearch(out, &answer)
    });
}

#[test]
fn fetches() {
    check(
        "* 12 FETCH (FLAGS (\\Seen) UID 7 RFC822.SIZE 44827 \
         INTERNALDATE \"17-Jul-1996 02:44:25 +0000\" MODSEQ (9))\r\n",
        |out| {
            fetch(out, 12);
            item_flags(out, flag::SEEN, []);
            item_uid(out, 7);
            item_size(out, 44827);
            item_internal_date(out, 837_571_465);
            item_modseq(out, ModSeq(9));
            fetch_end(out);
        },
    );
    let section = |part, text, partial| Section {
        part,
        text,
        partial,
        peek: true,
    };
    let cases: &[(Section<'_>, &str)] = &[
        (section(&[], SectionText::Whole, None), "(BODY[] "),
        (
            section(&[], SectionText::Whole, Some((0, 9))),
            "(BODY[]<0> ",
        ),
        (section(&[1, 2], SectionText::Whole, None), "(BODY[1.2] "),
        (section(&[3], SectionText::Mime, None), "(BODY[3.MIME] "),
        (section(&[], SectionText::Header, None), "(BODY[HEADER] "),
        (
            section(&[4, 1], SectionText::Text, None),
            "(BODY[4.1.TEXT] ",
        ),
        (
            section(&[], SectionText::HeaderFields(&[b"DATE", b"FROM"]), None),
            "(BODY[HEADER.FIELDS (DATE FROM)] ",
        ),
        (
            section(&[2], SectionText::HeaderFieldsNot(&[b"a b"]), None),
            "(BODY[2.HEADER.FIELDS.NOT (\"a b\")] ",
        ),
    ];
    for (section, expected) in cases {
        check(expected, |out| {
            out.push(b'(');
            item_section(out, section);
        });
    }
}

/// The table of flag sets against the plain way.
#[test]
fn flag_sets() {
    for bits in 0..64 {
        let names = flag::TABLE.iter().filter(|(bit, _)| bits & bit != 0);
        let names: Vec<_> = names.map(|(_, name)| *name).collect();
        check(&format!("({})", names.join(" ")), |out| {
            flag_list(out, bits, [])
        });
    }
}
