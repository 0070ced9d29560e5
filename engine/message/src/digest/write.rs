//! Writes what [`super`] lays out.

use super::{FLAG_SIGNED, VERSION};
use crate::{Faults, Span};

/// Longer names of types are not registered. RFC 6838 §4.2.
const SHORT_OCTETS_MAX: usize = 127;

/// Enough for the texts of most mails.
const USUAL_OCTETS: usize = 512;

/// Enough for most address lists.
const USUAL_LIST_OCTETS: usize = 128;

/// Appends LEB128.
pub(crate) fn integer(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a text, or its absence.
fn text(out: &mut Vec<u8>, value: Option<&[u8]>) {
    integer(out, value.map_or(0, |value| value.len() as u64 + 1));
    out.extend_from_slice(value.unwrap_or_default());
}

/// Texts of all parts, one block behind the other, within a bound. A text that does not fit is told as absent.
#[derive(Debug)]
pub(crate) struct Texts {
    octets: Vec<u8>,
    octets_max: usize,
    /// Something did not fit.
    pub cut: bool,
}

impl Texts {
    pub fn new(octets_max: usize) -> Self {
        Texts {
            octets: Vec::with_capacity(USUAL_OCTETS),
            octets_max,
            cut: false,
        }
    }

    /// Where the next block begins.
    pub fn len(&self) -> usize {
        self.octets.len()
    }

    pub fn text(&mut self, value: Option<&[u8]>) {
        let fits = value.is_none_or(|value| self.fits(value.len()));
        text(&mut self.octets, value.filter(|_| fits));
    }

    /// A text that is always kept, or as much of it as a type may have: what BODYSTRUCTURE's form hangs on.
    pub fn short(&mut self, value: Option<&[u8]>) {
        let value = value.map(|value| &value[..value.len().min(SHORT_OCTETS_MAX)]);
        text(&mut self.octets, value);
    }

    /// A count and groups of texts; groups that do not fit are left out.
    pub fn groups<'v, const N: usize>(&mut self, groups: impl Iterator<Item = [&'v [u8]; N]>) {
        let (mut list, mut count) = (Vec::new(), 0);
        for group in groups {
            let octets: usize = group.iter().map(|text| text.len()).sum();
            if !self.fits(list.len() + octets) {
                break;
            }
            for value in group {
                text(&mut list, Some(value));
            }
            count += 1;
        }
        integer(&mut self.octets, count);
        self.octets.extend_from_slice(&list);
    }

    pub fn addresses(&mut self, list: &Addresses) {
        self.cut |= list.cut;
        integer(&mut self.octets, list.octets.len() as u64);
        self.octets.extend_from_slice(&list.octets);
    }

    /// An address list to be filled within the room that is left.
    pub fn address_list(&self) -> Addresses {
        Addresses {
            octets: Vec::new(),
            octets_max: self.octets_max.saturating_sub(self.octets.len()),
            group: false,
            cut: false,
        }
    }

    fn fits(&mut self, octets: usize) -> bool {
        let fits = self.octets.len() + octets <= self.octets_max;
        self.cut |= !fits;
        fits
    }
}

/// One address list, already written.
#[derive(Debug)]
pub(crate) struct Addresses {
    octets: Vec<u8>,
    octets_max: usize,
    group: bool,
    cut: bool,
}

impl Addresses {
    pub fn add(&mut self, item: crate::address::Item<'_>) {
        use crate::address::Item;
        let needs = match &item {
            Item::Mailbox {
                name,
                route,
                mailbox,
                host,
            } => name.map_or(0, <[u8]>::len) + route.len() + mailbox.len() + host.len(),
            Item::GroupStart(name) => name.len(),
            Item::GroupEnd if self.group => 0,
            Item::GroupEnd => return,
        };
        if self.octets.len() + needs > self.octets_max {
            self.cut = true;
            return;
        }
        if self.octets.capacity() == 0 {
            self.octets.reserve(USUAL_LIST_OCTETS);
        }
        match item {
            Item::Mailbox {
                name,
                route,
                mailbox,
                host,
            } => {
                match route {
                    [] => self.octets.push(0),
                    route => {
                        self.octets.push(3);
                        text(&mut self.octets, Some(route));
                    }
                }
                text(&mut self.octets, name);
                text(&mut self.octets, Some(mailbox));
                text(&mut self.octets, Some(host));
            }
            Item::GroupStart(name) => {
                self.group = true;
                self.octets.push(1);
                text(&mut self.octets, Some(name));
            }
            Item::GroupEnd => {
                self.group = false;
                self.octets.push(2);
            }
        }
    }
}

/// One part, as the scanner keeps it.
#[derive(Debug)]
pub(crate) struct Record {
    pub kind: super::Kind,
    pub descendants: usize,
    pub header: Span,
    pub body_end: usize,
    pub lines: u64,
    /// Its description among the texts.
    pub texts: Span,
    /// If it is the body of a message, that message's envelope among the texts.
    pub envelope: Option<Span>,
}

/// What stands before the records.
#[derive(Debug)]
pub(crate) struct Head {
    pub is_signed: bool,
    pub faults: Faults,
    pub octets: u64,
    pub lines: u64,
    pub received: u32,
}

/// The whole digest.
pub(crate) fn digest(head: &Head, records: &[Record], texts: &Texts) -> Vec<u8> {
    let mut out = Vec::with_capacity(32 + records.len() * 24 + texts.len());
    out.push(VERSION);
    out.push(if head.is_signed { FLAG_SIGNED } else { 0 });
    integer(&mut out, u64::from(head.faults.0));
    integer(&mut out, head.octets);
    integer(&mut out, head.lines);
    integer(&mut out, u64::from(head.received));
    integer(&mut out, records.len() as u64);
    let table = out.len();
    let behind = table + records.len() * 4;
    out.resize(behind, 0);
    for (index, record) in records.iter().enumerate() {
        let at = (out.len() - behind) as u32;
        out[table + index * 4..][..4].copy_from_slice(&at.to_le_bytes());
        write_record(&mut out, record, texts);
    }
    out
}

fn write_record(out: &mut Vec<u8>, record: &Record, texts: &Texts) {
    let flags = match record.envelope {
        Some(_) => super::read::HAS_ENVELOPE,
        None => 0,
    };
    out.push(record.kind as u8 | flags);
    integer(out, record.descendants as u64);
    integer(out, record.header.start as u64);
    integer(out, record.header.len() as u64);
    integer(out, (record.body_end - record.header.end) as u64);
    integer(out, record.lines);
    out.extend_from_slice(record.texts.of(&texts.octets));
    if let Some(envelope) = record.envelope {
        out.extend_from_slice(envelope.of(&texts.octets));
    }
}
