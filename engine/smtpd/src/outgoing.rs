//! What of a mail must leave this host: recipients gathered by route, and items of the queue made of them.
//!
//! In:  what MAIL said; one recipient after the other, with where it goes. Out: one [`Item`] for each route, and one notice
//! for the recipients that have the mail now and whose sender asked to be told. RFC 3461 §5.2.2.
//!
//! | MAIL, RCPT | item |
//! |---|---|
//! | ENVID, RET, NOTIFY, ORCPT | as they came; a notice to `<>` is none |
//! | HOLDFOR, HOLDUNTIL | not before: of local recipients too, who are then items as all others. RFC 4865 §4 |
//! | BY | by when; mode R: it comes back then. RFC 2852 §4 |
//! | MT-PRIORITY, REQUIRETLS, BODY, SMTPUTF8 | as they came |
//!
//! Invariant: an address stands in an item once; of one that came twice what was said first holds.

use crate::addressed::ALLOCATION_OCTETS;
use ringpost_api::item::{self, By, Fate, Head, Item, Kind};
use ringpost_smtp::{Body, ByMode, Hold, Mail, Notify, Orcpt, Ret};
use ringpost_types::{Address, TraceId};
use std::collections::HashSet;

/// What the sender wants to hear of one recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    pub notify: Option<Notify>,
    pub orcpt: Option<Orcpt>,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    routes: Vec<Route>,
    /// With the path of each, counted from 0.
    delivered: Vec<(usize, item::Recipient)>,
    seen: HashSet<(usize, String)>,
    /// About what all of it takes, in octets.
    octets: u64,
}

#[derive(Debug)]
struct Route {
    name: Box<str>,
    recipients: Vec<item::Recipient>,
}

impl Outgoing {
    /// Recipients that leave.
    pub fn count(&self) -> usize {
        self.routes.iter().map(|route| route.recipients.len()).sum()
    }

    /// About what all of it takes of the server's memory, in octets.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// One that goes by the relay called `route`, or by MX where that is empty.
    pub fn add(&mut self, route: &str, address: &Address, wishes: &Wishes) {
        let place = match self.routes.iter().position(|known| *known.name == *route) {
            Some(place) => place,
            None => {
                self.routes.push(Route {
                    name: route.into(),
                    recipients: Vec::new(),
                });
                self.routes.len() - 1
            }
        };
        if self.seen.insert((place, address.key())) {
            let recipient = wishes.recipient(address, Fate::Waiting);
            self.octets += held(&recipient);
            self.routes[place].recipients.push(recipient);
        }
    }

    /// The path of this number gets the mail here: its sender may want to know.
    pub fn delivers(&mut self, path: usize, address: &Address, wishes: &Wishes) {
        if wishes.notify.is_some_and(|set| set.has(Notify::SUCCESS)) {
            let recipient = wishes.recipient(address, Fate::Delivered);
            self.octets += held(&recipient);
            self.delivered.push((path, recipient));
        }
    }

    /// It does not get it after all.
    pub fn forget(&mut self, path: usize) {
        self.delivered.retain(|(known, _)| *known != path);
    }

    /// The items of a mail that is complete.
    pub fn items(&mut self, mail: &Mail, trace: TraceId, now_ms: u64) -> Vec<Item> {
        let head = head(mail, trace, now_ms);
        let sender = mail.reverse_path.as_ref().map(Address::to_string);
        let envid = mail.envid.as_deref().map(str::to_owned);
        let item = |head: Head, route: &str, mut recipients: Vec<item::Recipient>| {
            for recipient in &mut recipients {
                recipient.due = head.due;
            }
            Item {
                head,
                sender: sender.clone(),
                envid: envid.clone(),
                route: route.to_owned(),
                why: String::new(),
                recipients,
            }
        };
        let mails = self.routes.drain(..);
        let mut items: Vec<Item> = mails
            .map(|route| item(head, &route.name, route.recipients))
            .collect();
        let delivered = std::mem::take(&mut self.delivered).into_iter();
        let delivered: Vec<_> = delivered.map(|(_, recipient)| recipient).collect();
        if sender.is_some() && !delivered.is_empty() {
            // A notice is due at once, and to nobody's deadline.
            let head = Head {
                kind: Kind::Notice,
                due: now_ms,
                hold: 0,
                expires: 0,
                by: None,
                ..head
            };
            items.push(item(head, "", delivered));
        }
        self.seen.clear();
        items
    }
}

/// What a recipient takes, its place among those seen included.
fn held(recipient: &item::Recipient) -> u64 {
    let orcpt = recipient.orcpt.as_ref();
    let orcpt = orcpt.map_or(0, |(kind, address)| kind.len() + address.len());
    let fixed = size_of::<item::Recipient>() + size_of::<(usize, String)>() + 4 * ALLOCATION_OCTETS;
    (fixed + 2 * recipient.address.len() + orcpt) as u64
}

impl Wishes {
    /// The same for an address that stands for `address`: whoever sent the mail hears of the one that he named, not of
    /// where it led. RFC 3461 §5.2.7.
    pub fn for_original(&self, address: &Address) -> Wishes {
        let kind = if address.needs_utf8() {
            "utf-8"
        } else {
            "rfc822"
        };
        Wishes {
            notify: self.notify,
            orcpt: Some(Orcpt {
                kind: kind.into(),
                address: address.to_string().into(),
            }),
        }
    }

    fn recipient(&self, address: &Address, fate: Fate) -> item::Recipient {
        let orcpt = self.orcpt.as_ref();
        item::Recipient {
            address: address.to_string(),
            notify: self.notify.map_or(0, Notify::bits),
            orcpt: orcpt.map(|orcpt| (orcpt.kind.to_string(), orcpt.address.to_string())),
            fate,
            ..item::Recipient::default()
        }
    }
}

/// Until when a mail is held, in milliseconds since 1970; 0: not at all.
pub(crate) fn held_until(mail: &Mail, now_ms: u64) -> u64 {
    let until = match mail.hold {
        None => 0,
        Some(Hold::For(seconds)) => now_ms + u64::from(seconds) * 1_000,
        Some(Hold::Until(unix)) => unix.saturating_mul(1_000),
    };
    if until > now_ms { until } else { 0 }
}

fn head(mail: &Mail, trace: TraceId, now_ms: u64) -> Head {
    let hold = held_until(mail, now_ms);
    let by = mail.by.map(|by| By {
        at: now_ms
            .saturating_add_signed(by.seconds.saturating_mul(1_000))
            .max(1),
        notify: by.mode == ByMode::Notify,
        trace: by.trace,
    });
    Head {
        trace,
        created: now_ms,
        due: now_ms.max(hold),
        hold,
        expires: by.filter(|by| !by.notify).map_or(0, |by| by.at),
        by,
        priority: mail.priority.unwrap_or(0),
        body: match mail.body {
            Body::SevenBit => item::Body::SevenBit,
            Body::EightBit => item::Body::EightBit,
            Body::Binary => item::Body::Binary,
        },
        utf8: mail.utf8,
        require_tls: mail.require_tls,
        ret: mail.ret.map(|ret| match ret {
            Ret::Full => item::Ret::Full,
            Ret::Headers => item::Ret::Headers,
        }),
        ..Head::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;

    fn address(text: &str) -> Address {
        Address::parse(text).expect("an address")
    }

    fn success() -> Wishes {
        Wishes {
            notify: Some(Notify::SUCCESS),
            orcpt: Some(Orcpt {
                kind: "rfc822".into(),
                address: "a@b".into(),
            }),
        }
    }

    #[test]
    fn an_item_for_each_route_and_each_address_once() {
        let mut outgoing = Outgoing::default();
        let nothing = Wishes::default();
        outgoing.add("", &address("a@example.com"), &success());
        outgoing.add("smart", &address("a@example.com"), &nothing);
        outgoing.add("", &address("b@example.com"), &nothing);
        outgoing.add("", &address("A@EXAMPLE.com"), &nothing);
        assert_eq!(outgoing.count(), 3);
        let mail = Mail::from(Some(address("s@example.org")));
        let items = outgoing.items(&mail, TraceId(7), NOW);
        assert_eq!(outgoing.count(), 0);
        let shown = |item: &Item| {
            let to: Vec<_> = item.recipients.iter().map(|to| &*to.address).collect();
            (item.route.clone(), to.join(" "))
        };
        let shown: Vec<_> = items.iter().map(shown).collect();
        let expected = [
            ("".to_owned(), "a@example.com b@example.com".to_owned()),
            ("smart".to_owned(), "a@example.com".to_owned()),
        ];
        assert_eq!(shown, expected);
        let first = &items[0].recipients[0];
        let original = Some(("rfc822".to_owned(), "a@b".to_owned()));
        assert_eq!((first.notify, &first.orcpt, first.due), (2, &original, NOW));
        assert_eq!(items[0].head.trace, TraceId(7));
    }

    #[test]
    fn a_notice_for_those_who_want_one() {
        for (sender, notices) in [(Some("s@example.org"), 1), (None, 0)] {
            let mut outgoing = Outgoing::default();
            outgoing.delivers(0, &address("alice@example.org"), &success());
            outgoing.delivers(1, &address("bob@example.org"), &Wishes::default());
            outgoing.delivers(2, &address("carol@example.org"), &success());
            outgoing.forget(2);
            let mut mail = Mail::from(sender.map(address));
            mail.envid = Some("x".into());
            let items = outgoing.items(&mail, TraceId(7), NOW);
            assert_eq!(items.len(), notices);
            for item in items {
                assert_eq!((item.head.kind, item.head.due), (Kind::Notice, NOW));
                assert_eq!(item.envid.as_deref(), Some("x"));
                assert_eq!(item.recipients[0].fate, Fate::Delivered);
                assert_eq!(item.recipients.len(), 1);
            }
        }
    }

    #[test]
    fn times() {
        use ringpost_smtp::By as Wish;
        let by = |seconds, mode| {
            Some(Wish {
                seconds,
                mode,
                trace: true,
            })
        };
        // (hold, by) -> (due, hold, expires, by)
        let cases = [
            ((None, None), (NOW, 0, 0, None)),
            (
                (Some(Hold::For(5)), None),
                (NOW + 5_000, NOW + 5_000, 0, None),
            ),
            (
                (Some(Hold::Until(2_000)), None),
                (2_000_000, 2_000_000, 0, None),
            ),
            // Passed while the mail came.
            ((Some(Hold::Until(999)), None), (NOW, 0, 0, None)),
            (
                (None, by(10, ByMode::Return)),
                (NOW, 0, NOW + 10_000, Some(NOW + 10_000)),
            ),
            (
                (None, by(-10, ByMode::Notify)),
                (NOW, 0, 0, Some(NOW - 10_000)),
            ),
            ((None, by(i64::MIN, ByMode::Notify)), (NOW, 0, 0, Some(1))),
        ];
        for ((hold, by), expected) in cases {
            let mut mail = Mail::from(None);
            (mail.hold, mail.by) = (hold, by);
            let head = head(&mail, TraceId(1), NOW);
            let got = (head.due, head.hold, head.expires, head.by.map(|by| by.at));
            assert_eq!(got, expected, "{hold:?} {by:?}");
        }
    }
}
