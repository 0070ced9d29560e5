//! A command as a client would write it, one way for each: what the table and the random tests compare.

use crate::command::*;
use crate::data;
use crate::flag::Flags;
use crate::parse::Parsed;
use crate::sequence::SequenceSet;
use crate::write::{astring, mailbox, string};

/// The canonical text of what was parsed, without CRLF; refusals in brackets.
pub fn wire(parsed: &Parsed<'_>) -> String {
    let mut out = Vec::new();
    match parsed {
        Parsed::Command { tag, command, .. } => {
            text(&mut out, tag);
            out.push(b' ');
            self::command(&mut out, command);
        }
        Parsed::Append { tag, append, .. } => self::append(&mut out, tag, append),
        Parsed::Bad {
            tag, status, text, ..
        } => self::text(
            &mut out,
            &format!("[{tag:?} {} {text}]", format!("{status:?}").to_uppercase()),
        ),
        Parsed::TooBig {
            tag, text, then, ..
        } => self::text(&mut out, &format!("[{tag:?} {text} {then:?}]")),
        other => text(&mut out, &format!("[{other:?}]")),
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn spaced<T: Copy>(out: &mut Vec<u8>, items: &[T], each: impl Fn(&mut Vec<u8>, T)) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        each(out, *item);
    }
}

fn append(out: &mut Vec<u8>, tag: &str, append: &Append<'_>) {
    text(out, tag);
    text(out, " APPEND ");
    mailbox(out, append.mailbox);
    if append.flags != Flags::default() {
        out.push(b' ');
        flags(out, &append.flags);
    }
    if let Some(date) = append.date {
        out.push(b' ');
        crate::date::write(out, date);
    }
    let plus = if append.synchronizing { "" } else { "+" };
    text(out, &format!(" {{{}{plus}}}\r\n", append.octets));
}

fn flags(out: &mut Vec<u8>, flags: &Flags<'_>) {
    data::flag_list(out, flags.system, flags.keywords.iter().copied());
}

fn command(out: &mut Vec<u8>, command: &Command<'_>) {
    let named = |out: &mut Vec<u8>, name: &str, mailbox: &str| {
        text(out, name);
        crate::write::mailbox(out, mailbox);
    };
    match *command {
        Command::Capability => text(out, "CAPABILITY"),
        Command::Noop => text(out, "NOOP"),
        Command::Logout => text(out, "LOGOUT"),
        Command::StartTls => text(out, "STARTTLS"),
        Command::Namespace => text(out, "NAMESPACE"),
        Command::Idle => text(out, "IDLE"),
        Command::Check => text(out, "CHECK"),
        Command::Close => text(out, "CLOSE"),
        Command::Unselect => text(out, "UNSELECT"),
        Command::Expunge => text(out, "EXPUNGE"),
        Command::Id([]) => text(out, "ID NIL"),
        Command::Id(pairs) => {
            text(out, "ID (");
            spaced(out, pairs, |out, (field, value)| {
                string(out, field);
                out.push(b' ');
                crate::write::nstring(out, value);
            });
            text(out, ")");
        }
        Command::Authenticate { mechanism, initial } => {
            text(out, &format!("AUTHENTICATE {mechanism}"));
            if let Some(initial) = initial {
                out.push(b' ');
                out.extend_from_slice(initial);
            }
        }
        Command::Login { user, password } => {
            text(out, "LOGIN ");
            spaced(out, &[user, password], astring);
        }
        Command::Enable(names) => {
            text(out, "ENABLE ");
            spaced(out, names, text);
        }
        Command::Select(name) => named(out, "SELECT ", name),
        Command::Examine(name) => named(out, "EXAMINE ", name),
        Command::Create { mailbox, special } => {
            named(out, "CREATE ", mailbox);
            if !special.is_empty() {
                text(out, " (USE (");
                let name = |special| SpecialUse::ALL.iter().find(|(known, _)| *known == special);
                spaced(out, special, |out, special| {
                    text(out, name(special).unwrap().1)
                });
                text(out, "))");
            }
        }
        Command::Delete(name) => named(out, "DELETE ", name),
        Command::Rename { from, to } => {
            named(out, "RENAME ", from);
            named(out, " ", to);
        }
        Command::Subscribe(name) => named(out, "SUBSCRIBE ", name),
        Command::Unsubscribe(name) => named(out, "UNSUBSCRIBE ", name),
        Command::List(list) => self::list(out, &list),
        Command::Lsub { reference, pattern } => {
            named(out, "LSUB ", reference);
            named(out, " ", pattern);
        }
        Command::Status { mailbox, items } => {
            named(out, "STATUS ", mailbox);
            out.push(b' ');
            status_items(out, items);
        }
        Command::UidExpunge(set) => {
            text(out, "UID EXPUNGE ");
            self::set(out, &set);
        }
        Command::Search(search) => self::search(out, &search),
        Command::Fetch(fetch) => self::fetch(out, &fetch),
        Command::Store(store) => self::store(out, &store),
        Command::Copy(transfer) => self::transfer(out, "COPY ", &transfer),
        Command::Move(transfer) => self::transfer(out, "MOVE ", &transfer),
    }
}

fn list(out: &mut Vec<u8>, list: &List<'_>) {
    text(out, "LIST ");
    let selection = [
        (list.selection.subscribed, "SUBSCRIBED"),
        (list.selection.remote, "REMOTE"),
        (list.selection.recursive_match, "RECURSIVEMATCH"),
        (list.selection.special_use, "SPECIAL-USE"),
    ];
    let chosen: Vec<_> = selection
        .iter()
        .filter(|(on, _)| *on)
        .map(|(_, name)| *name)
        .collect();
    if !chosen.is_empty() {
        text(out, &format!("({}) ", chosen.join(" ")));
    }
    mailbox(out, list.reference);
    text(out, if list.extended { " (" } else { " " });
    spaced(out, list.patterns, mailbox);
    text(out, if list.extended { ")" } else { "" });
    let returns = [
        (list.returns.subscribed, "SUBSCRIBED"),
        (list.returns.children, "CHILDREN"),
        (list.returns.special_use, "SPECIAL-USE"),
    ];
    if list.returns == Returns::default() {
        return;
    }
    let chosen: Vec<_> = returns
        .iter()
        .filter(|(on, _)| *on)
        .map(|(_, name)| *name)
        .collect();
    text(out, &format!(" RETURN ({}", chosen.join(" ")));
    if let Some(items) = list.returns.status {
        text(
            out,
            if chosen.is_empty() {
                "STATUS "
            } else {
                " STATUS "
            },
        );
        status_items(out, items);
    }
    text(out, ")");
}

fn status_items(out: &mut Vec<u8>, items: StatusItems) {
    let table = StatusItems::TABLE
        .iter()
        .filter(|(item, _)| items.contains(*item));
    let names: Vec<_> = table.map(|(_, name)| *name).collect();
    text(out, &format!("({})", names.join(" ")));
}

/// A set shows its ranges through the public helpers, as if 2^32-1 were the largest number in use.
fn set(out: &mut Vec<u8>, set: &SequenceSet<'_>) {
    let star = set.contains(u32::MAX, u32::MAX) && set.highest() != u32::MAX;
    for (at, range) in set.ranges(u32::MAX).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let (low, high) = (*range.start(), *range.end());
        match (low == high, high == u32::MAX && star) {
            (true, true) => text(out, "*"),
            (false, true) => text(out, &format!("{low}:*")),
            (true, false) => text(out, &low.to_string()),
            (false, false) => text(out, &format!("{low}:{high}")),
        }
    }
}

fn numbers(out: &mut Vec<u8>, numbers: Numbers) {
    if numbers == Numbers::Uid {
        text(out, "UID ");
    }
}

fn transfer(out: &mut Vec<u8>, name: &str, transfer: &Transfer<'_>) {
    numbers(out, transfer.numbers);
    text(out, name);
    set(out, &transfer.set);
    out.push(b' ');
    mailbox(out, transfer.mailbox);
}

fn store(out: &mut Vec<u8>, store: &Store<'_>) {
    numbers(out, store.numbers);
    text(out, "STORE ");
    set(out, &store.set);
    if let Some(modseq) = store.unchanged_since {
        text(out, &format!(" (UNCHANGEDSINCE {modseq})"));
    }
    text(
        out,
        match store.change {
            FlagChange::Replace => " FLAGS",
            FlagChange::Add => " +FLAGS",
            FlagChange::Remove => " -FLAGS",
        },
    );
    text(out, if store.silent { ".SILENT " } else { " " });
    flags(out, &store.flags);
}

fn fetch(out: &mut Vec<u8>, fetch: &Fetch<'_>) {
    numbers(out, fetch.numbers);
    text(out, "FETCH ");
    set(out, &fetch.set);
    text(out, " (");
    spaced(out, fetch.items, |out, item| match item {
        FetchItem::Flags => text(out, "FLAGS"),
        FetchItem::Uid => text(out, "UID"),
        FetchItem::InternalDate => text(out, "INTERNALDATE"),
        FetchItem::Size => text(out, "RFC822.SIZE"),
        FetchItem::Envelope => text(out, "ENVELOPE"),
        FetchItem::Body => text(out, "BODY"),
        FetchItem::BodyStructure => text(out, "BODYSTRUCTURE"),
        FetchItem::ModSeq => text(out, "MODSEQ"),
        FetchItem::Rfc822 => text(out, "RFC822"),
        FetchItem::Rfc822Header => text(out, "RFC822.HEADER"),
        FetchItem::Rfc822Text => text(out, "RFC822.TEXT"),
        FetchItem::Section(section) => self::section(out, &section),
    });
    text(out, ")");
}

fn section(out: &mut Vec<u8>, section: &Section<'_>) {
    // The response writer names the section; it leaves out PEEK and how much.
    let mut name = vec![b'('];
    data::item_section(&mut name, section);
    let name = String::from_utf8(name).unwrap();
    let mut name = name[1..].trim_end().to_owned();
    if section.peek {
        name = name.replacen("BODY", "BODY.PEEK", 1);
    }
    if let Some((_, octets)) = section.partial {
        name = format!("{}.{octets}>", name.trim_end_matches('>'));
    }
    text(out, &name);
}

fn search(out: &mut Vec<u8>, search: &Search<'_>) {
    numbers(out, search.numbers);
    text(out, "SEARCH");
    if let Some(returns) = search.returns {
        let options = [
            (returns.min, "MIN"),
            (returns.max, "MAX"),
            (returns.all, "ALL"),
            (returns.count, "COUNT"),
        ];
        let chosen: Vec<_> = options
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, name)| *name)
            .collect();
        text(out, &format!(" RETURN ({})", chosen.join(" ")));
    }
    if let Some(charset) = search.charset {
        text(out, " CHARSET ");
        astring(out, charset);
    }
    out.push(b' ');
    match search.key {
        SearchKey::And(keys) => spaced(out, keys, |out, each| key(out, &each)),
        one => key(out, &one),
    }
}

fn key(out: &mut Vec<u8>, key: &SearchKey<'_>) {
    let day = |out: &mut Vec<u8>, name: &str, days: i32| {
        let (year, month, day) = crate::date::civil(days);
        const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
        let month = &MONTHS[(month as usize - 1) * 3..][..3];
        text(out, &format!("{name} {day}-{month}-{year:04}"));
    };
    let named = |out: &mut Vec<u8>, name: &str, value: &[u8]| {
        text(out, name);
        astring(out, value);
    };
    match *key {
        SearchKey::All => text(out, "ALL"),
        SearchKey::Recent => text(out, "RECENT"),
        SearchKey::Flag(bit) => {
            let name = crate::flag::TABLE
                .iter()
                .find(|(known, _)| *known == bit)
                .unwrap()
                .1;
            text(out, &name[1..].to_ascii_uppercase());
        }
        SearchKey::Keyword(keyword) => text(out, &format!("KEYWORD {keyword}")),
        SearchKey::Sequence(set) => self::set(out, &set),
        SearchKey::Uid(set) => {
            text(out, "UID ");
            self::set(out, &set);
        }
        SearchKey::Larger(octets) => text(out, &format!("LARGER {octets}")),
        SearchKey::Smaller(octets) => text(out, &format!("SMALLER {octets}")),
        SearchKey::Before(days) => day(out, "BEFORE", days),
        SearchKey::On(days) => day(out, "ON", days),
        SearchKey::Since(days) => day(out, "SINCE", days),
        SearchKey::SentBefore(days) => day(out, "SENTBEFORE", days),
        SearchKey::SentOn(days) => day(out, "SENTON", days),
        SearchKey::SentSince(days) => day(out, "SENTSINCE", days),
        SearchKey::Header { field, text } => {
            named(out, "HEADER ", field);
            named(out, " ", text);
        }
        SearchKey::Body(text) => named(out, "BODY ", text),
        SearchKey::Text(text) => named(out, "TEXT ", text),
        SearchKey::ModSeq(modseq) => text(out, &format!("MODSEQ {modseq}")),
        SearchKey::Not(inner) => {
            text(out, "NOT ");
            self::key(out, inner);
        }
        SearchKey::Or(one, other) => {
            text(out, "OR ");
            self::key(out, one);
            out.push(b' ');
            self::key(out, other);
        }
        SearchKey::And(keys) => {
            text(out, "(");
            spaced(out, keys, |out, each| self::key(out, &each));
            text(out, ")");
        }
    }
}
