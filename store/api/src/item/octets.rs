//! Octets of an item, and back.
//!
//! In:  an [`Item`]; octets of a row, or of a log record.
//! Out: octets, or that it does not fit; an [`ItemRow`] that borrows from them, or what is wrong with them.
//!
//! Invariants: no octets, however damaged, make a panic; `read(encode(item)) == item`.

use super::{Body, By, Fate, Head, Item, ItemRow, Kind, Recipient, RecipientRow, Ret, State};
use crate::layout::{self, Fixed};
use crate::row::{damaged, text};
use crate::{Error, Table};
use ringpost_types::{BlobId, TraceId};
use zerocopy::IntoBytes;

/// The layout that is written.
const LAYOUT: u8 = 1;

mod flag {
    pub const UTF8: u16 = 1;
    pub const REQUIRE_TLS: u16 = 1 << 1;
    pub const RET_FULL: u16 = 1 << 2;
    pub const RET_HEADERS: u16 = 1 << 3;
    pub const BY_NOTIFY: u16 = 1 << 4;
    pub const BY_TRACE: u16 = 1 << 5;
}

impl Item {
    /// Appends the value of its row to `out`. `None` where it has no recipient, or something of it is longer than a length
    /// field can tell.
    pub fn encode(&self, out: &mut Vec<u8>) -> Option<()> {
        let octets = |text: &str| u16::try_from(text.len()).ok();
        let (sender, envid) = (
            self.sender.as_deref().unwrap_or_default(),
            self.envid.as_deref().unwrap_or_default(),
        );
        if self.recipients.is_empty() {
            return None;
        }
        let head = &self.head;
        let fixed = layout::Queue {
            blob: head.blob.0.into(),
            trace: head.trace.0.into(),
            created: head.created.into(),
            due: head.due.into(),
            hold: head.hold.into(),
            expires: head.expires.into(),
            by: head.by.map_or(0, |by| by.at).into(),
            attempts: head.attempts.into(),
            flags: head.flags().into(),
            recipients: u16::try_from(self.recipients.len()).ok()?.into(),
            sender_octets: octets(sender)?.into(),
            envid_octets: octets(envid)?.into(),
            route_octets: octets(&self.route)?.into(),
            why_octets: octets(&self.why)?.into(),
            layout: LAYOUT,
            kind: head.kind as u8,
            state: head.state as u8,
            priority: head.priority,
            body: head.body as u8,
            zero: [0; 3],
        };
        out.extend_from_slice(fixed.as_bytes());
        for text in [sender, envid, &self.route, &self.why] {
            out.extend_from_slice(text.as_bytes());
        }
        self.recipients
            .iter()
            .try_for_each(|recipient| recipient.encode(out))
    }
}

impl Recipient {
    fn encode(&self, out: &mut Vec<u8>) -> Option<()> {
        let octets = |text: &str| u16::try_from(text.len()).ok();
        let (kind, original) = match &self.orcpt {
            Some((kind, original)) => (kind.as_str(), original.as_str()),
            None => ("", ""),
        };
        let fixed = layout::Recipient {
            due: self.due.into(),
            attempts: self.attempts.into(),
            address_octets: octets(&self.address)?.into(),
            orcpt_octets: octets(original)?.into(),
            reply_octets: octets(&self.reply)?.into(),
            type_octets: u8::try_from(kind.len()).ok()?,
            state: self.fate as u8,
            notify: self.notify,
            zero: 0,
        };
        out.extend_from_slice(fixed.as_bytes());
        for text in [&self.address, kind, original, &self.reply] {
            out.extend_from_slice(text.as_bytes());
        }
        Some(())
    }
}

impl Head {
    fn flags(&self) -> u16 {
        let bit = |on: bool, bit: u16| if on { bit } else { 0 };
        bit(self.utf8, flag::UTF8)
            | bit(self.require_tls, flag::REQUIRE_TLS)
            | bit(self.ret == Some(Ret::Full), flag::RET_FULL)
            | bit(self.ret == Some(Ret::Headers), flag::RET_HEADERS)
            | bit(self.by.is_some_and(|by| by.notify), flag::BY_NOTIFY)
            | bit(self.by.is_some_and(|by| by.trace), flag::BY_TRACE)
    }

    fn read(fixed: &layout::Queue) -> Result<Self, Error> {
        let wrong = |what| damaged(Table::Queue, what);
        let flags = fixed.flags.get();
        let has = |bit: u16| flags & bit != 0;
        Ok(Head {
            blob: BlobId(fixed.blob.get()),
            trace: TraceId(fixed.trace.get()),
            kind: match fixed.kind {
                0 => Kind::Mail,
                1 => Kind::Notice,
                _ => return Err(wrong("no such kind")),
            },
            state: match fixed.state {
                0 => State::Queued,
                1 => State::Deferred,
                2 => State::Held,
                _ => return Err(wrong("no such state")),
            },
            created: fixed.created.get(),
            due: fixed.due.get(),
            hold: fixed.hold.get(),
            expires: fixed.expires.get(),
            by: match fixed.by.get() {
                0 => None,
                at => Some(By {
                    at,
                    notify: has(flag::BY_NOTIFY),
                    trace: has(flag::BY_TRACE),
                }),
            },
            attempts: fixed.attempts.get(),
            priority: fixed.priority,
            body: match fixed.body {
                0 => Body::SevenBit,
                1 => Body::EightBit,
                2 => Body::Binary,
                _ => return Err(wrong("no such body")),
            },
            utf8: has(flag::UTF8),
            require_tls: has(flag::REQUIRE_TLS),
            ret: match (has(flag::RET_FULL), has(flag::RET_HEADERS)) {
                (true, _) => Some(Ret::Full),
                (_, true) => Some(Ret::Headers),
                _ => None,
            },
        })
    }
}

impl<'t> ItemRow<'t> {
    /// Reads a value of table queue and looks at all of it once, so that [`ItemRow::recipients`] cannot fail.
    pub fn read(octets: &'t [u8]) -> Result<Self, Error> {
        let (fixed, mut rest) = layout::Queue::before(octets)?;
        if fixed.layout != LAYOUT {
            return Err(damaged(Table::Queue, "no such layout"));
        }
        let mut next = |octets: u16| -> Result<&'t str, Error> {
            let (taken, after) = rest
                .split_at_checked(octets.into())
                .ok_or_else(|| damaged(Table::Queue, "a text goes past the end"))?;
            rest = after;
            text(Table::Queue, taken)
        };
        let sender = next(fixed.sender_octets.get())?;
        let envid = next(fixed.envid_octets.get())?;
        let (route, why) = (
            next(fixed.route_octets.get())?,
            next(fixed.why_octets.get())?,
        );
        let row = ItemRow {
            head: Head::read(fixed)?,
            sender: Some(sender).filter(|sender| !sender.is_empty()),
            envid: Some(envid).filter(|envid| !envid.is_empty()),
            route,
            why,
            count: fixed.recipients.get(),
            recipients: rest,
        };
        for _ in 0..row.count {
            rest = recipient(rest)?.1;
        }
        match rest.is_empty() && row.count > 0 {
            true => Ok(row),
            false => Err(damaged(Table::Queue, "its recipients are not as many")),
        }
    }

    /// How many recipients it has.
    pub fn count(&self) -> usize {
        self.count.into()
    }

    /// The recipients, in the order in which they were put.
    pub fn recipients(&self) -> impl Iterator<Item = RecipientRow<'t>> + use<'t> {
        let mut rest = self.recipients;
        std::iter::from_fn(move || {
            let (row, after) = recipient(rest).ok()?;
            rest = after;
            Some(row)
        })
    }

    /// All of it, owned: to be changed and put again.
    pub fn to_item(&self) -> Item {
        Item {
            head: self.head,
            sender: self.sender.map(str::to_owned),
            envid: self.envid.map(str::to_owned),
            route: self.route.to_owned(),
            why: self.why.to_owned(),
            recipients: self.recipients().map(|row| row.to_recipient()).collect(),
        }
    }
}

impl RecipientRow<'_> {
    fn to_recipient(self) -> Recipient {
        Recipient {
            address: self.address.to_owned(),
            notify: self.notify,
            orcpt: self
                .orcpt
                .map(|(kind, original)| (kind.to_owned(), original.to_owned())),
            fate: self.fate,
            attempts: self.attempts,
            due: self.due,
            reply: self.reply.to_owned(),
        }
    }
}

/// The first recipient of `octets`, and what stands behind it.
fn recipient(octets: &[u8]) -> Result<(RecipientRow<'_>, &[u8]), Error> {
    let (fixed, mut rest) = layout::Recipient::before(octets)?;
    let mut next = |octets: usize| {
        let (taken, after) = rest
            .split_at_checked(octets)
            .ok_or_else(|| damaged(Table::Queue, "a recipient goes past the end"))?;
        rest = after;
        text(Table::Queue, taken)
    };
    let address = next(fixed.address_octets.get().into())?;
    let kind = next(fixed.type_octets.into())?;
    let original = next(fixed.orcpt_octets.get().into())?;
    let row = RecipientRow {
        address,
        notify: fixed.notify,
        orcpt: Some((kind, original)).filter(|(kind, _)| !kind.is_empty()),
        fate: match fixed.state {
            0 => Fate::Waiting,
            1 => Fate::Relayed,
            2 => Fate::Delivered,
            3 => Fate::Failed,
            _ => return Err(damaged(Table::Queue, "no such state of a recipient")),
        },
        attempts: fixed.attempts.get(),
        due: fixed.due.get(),
        reply: next(fixed.reply_octets.get().into())?,
    };
    Ok((row, rest))
}

#[cfg(test)]
mod tests {
    use super::super::notify;
    use super::*;

    fn example() -> Item {
        Item {
            head: Head {
                blob: BlobId::new(1, 2),
                trace: TraceId(3),
                kind: Kind::Notice,
                state: State::Held,
                created: 4,
                due: 5,
                hold: 6,
                expires: 7,
                by: Some(By {
                    at: 8,
                    notify: true,
                    trace: true,
                }),
                attempts: 9,
                priority: -9,
                body: Body::Binary,
                utf8: true,
                require_tls: true,
                ret: Some(Ret::Headers),
            },
            sender: Some("ä@example.test".into()),
            envid: Some("QQ 314".into()),
            route: "smart".into(),
            why: "by an operator".into(),
            recipients: vec![
                Recipient {
                    address: "b@other.test".into(),
                    notify: notify::ALL,
                    orcpt: Some(("rfc822".into(), "B@other.test".into())),
                    fate: Fate::Failed,
                    attempts: 10,
                    due: 11,
                    reply: "550 5.1.1 no".into(),
                },
                Recipient {
                    address: "c@other.test".into(),
                    ..Recipient::default()
                },
            ],
        }
    }

    #[test]
    fn items_come_back_and_a_cut_is_told() {
        let plain = Item {
            recipients: example().recipients[1..].to_vec(),
            ..Item::default()
        };
        for item in [example(), plain] {
            let mut out = Vec::new();
            item.encode(&mut out).expect("within all lengths");
            let row = ItemRow::read(&out).expect("what was written");
            assert_eq!(row.count(), item.recipients.len());
            assert_eq!(row.to_item(), item);
            for end in 0..out.len() {
                assert!(ItemRow::read(&out[..end]).is_err(), "cut at {end}");
            }
            out.push(0);
            assert!(ItemRow::read(&out).is_err(), "one octet more");
        }
    }

    /// Every octet, changed in three ways: an answer, never a panic.
    #[test]
    fn damage_is_no_panic() {
        let mut out = Vec::new();
        example().encode(&mut out).expect("within all lengths");
        for at in 0..out.len() {
            for by in [1, 0x80, 0xff] {
                let mut changed = out.clone();
                changed[at] ^= by;
                let _ = ItemRow::read(&changed).map(|row| row.recipients().count());
            }
        }
    }

    /// At the longest that a length field tells, and one above it.
    #[test]
    fn what_does_not_fit_is_refused() {
        let with = |octets: usize| Item {
            why: "x".repeat(octets),
            ..example()
        };
        assert!(with(65_535).encode(&mut Vec::new()).is_some());
        assert!(with(65_536).encode(&mut Vec::new()).is_none());
        let nobody = Item {
            recipients: vec![],
            ..example()
        };
        assert!(nobody.encode(&mut Vec::new()).is_none());
        let many = |count: usize| Item {
            recipients: vec![Recipient::default(); count],
            ..Item::default()
        };
        assert!(many(65_535).encode(&mut Vec::new()).is_some());
        assert!(many(65_536).encode(&mut Vec::new()).is_none());
        let typed = |octets: usize| {
            let mut item = example();
            item.recipients[0].orcpt = Some(("t".repeat(octets), String::new()));
            item
        };
        assert!(typed(255).encode(&mut Vec::new()).is_some());
        assert!(typed(256).encode(&mut Vec::new()).is_none());
    }
}
