//! Address lists: From, To and their kin. RFC 5322 §3.4, with the obsolete forms of §4.4 and what mail programs write
//! besides.
//!
//! In: an unfolded value. Out: [`Item`]s in order, quoting and comments undone, RFC 2047 words as they are.
//!
//! | written | given |
//! |---|---|
//! | `"Joe Q." <joe@x.org>` | name, local part, domain |
//! | `Joe <@a,@b:joe@x.org>` | the same, and the route |
//! | `joe@x.org (Joe)` | the comment is the name |
//! | `Joe joe@x.org` | the last word is the local part, the others the name |
//! | `root` | a local part, no domain |
//! | `friends: a@x, b@x;` | group start, members, group end |

use crate::lex::{Lexer, without_pairs};

/// One element of a list, as [`crate::digest::Address`] keeps it; lent until the next one is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'w> {
    /// One mailbox.
    Mailbox {
        /// Display name.
        name: Option<&'w [u8]>,
        /// Source route with its `@`, RFC 5322 §4.4; empty where there is none.
        route: &'w [u8],
        /// Local part.
        mailbox: &'w [u8],
        /// Domain; empty where there is none.
        host: &'w [u8],
    },
    /// `name:`.
    GroupStart(&'w [u8]),
    /// `;`.
    GroupEnd,
}

/// Shows every element of `value` to `each`. An address without name, local part and domain, `<>`, is none.
pub fn parse(value: &[u8], each: &mut impl FnMut(Item<'_>)) {
    let each = &mut |item: Item<'_>| {
        if !item.is_empty() {
            each(item);
        }
    };
    let mut list = List {
        lexer: Lexer(value),
        words: Words::default(),
        spec: Vec::new(),
        route: Vec::new(),
        comment: None,
        group: false,
    };
    list.run(each);
}

impl Item<'_> {
    fn is_empty(&self) -> bool {
        match self {
            Item::Mailbox {
                name,
                mailbox,
                host,
                ..
            } => name.is_none() && mailbox.is_empty() && host.is_empty(),
            Item::GroupStart(_) | Item::GroupEnd => false,
        }
    }
}

struct List<'v> {
    lexer: Lexer<'v>,
    words: Words,
    /// What stands in angle brackets, or the domain of an address without them.
    spec: Vec<u8>,
    route: Vec<u8>,
    comment: Option<&'v [u8]>,
    group: bool,
}

impl List<'_> {
    fn run(&mut self, each: &mut impl FnMut(Item<'_>)) {
        loop {
            if let Some(comment) = self.lexer.space() {
                self.comment = Some(comment);
            }
            let Some(octet) = self.lexer.peek() else {
                break;
            };
            match octet {
                b'"' => {
                    let text = self.lexer.quoted().unwrap_or_default();
                    self.words.add(&text);
                }
                b'<' => self.angle(each),
                b'@' => self.bare(each),
                b',' => {
                    self.lexer.skip(1);
                    self.alone(each);
                }
                b':' => {
                    self.lexer.skip(1);
                    if !self.group {
                        self.group = true;
                        each(Item::GroupStart(&self.words.text));
                        self.words.clear();
                    }
                }
                b';' => {
                    self.lexer.skip(1);
                    self.alone(each);
                    if std::mem::take(&mut self.group) {
                        each(Item::GroupEnd);
                    }
                }
                b')' | b'>' => self.lexer.skip(1),
                _ => {
                    let word = self.lexer.until(ends_word);
                    self.words.add(word);
                }
            }
        }
        self.alone(each);
        if self.group {
            each(Item::GroupEnd);
        }
    }

    /// `<` [route] addr-spec `>`: the words before it are the name.
    fn angle(&mut self, each: &mut impl FnMut(Item<'_>)) {
        self.lexer.skip(1);
        let spec = &mut self.spec;
        spec.clear();
        self.route.clear();
        let mut at = None; // where the domain begins in `spec`
        let mut routed = false; // `spec` is, so far, a route without its first `@`
        loop {
            self.lexer.space();
            match self.lexer.peek() {
                None => break,
                // Between the domains of a route; elsewhere the `>` was forgotten.
                Some(b',') if routed => {
                    self.lexer.skip(1);
                    spec.push(b',');
                }
                Some(b',') => break,
                Some(b'>') => {
                    self.lexer.skip(1);
                    break;
                }
                Some(b'"') => {
                    let text = self.lexer.quoted().unwrap_or_default();
                    spec.extend_from_slice(&text);
                }
                Some(b'@') => {
                    self.lexer.skip(1);
                    if at.replace(spec.len() + 1).is_some() || !spec.is_empty() {
                        spec.push(b'@');
                    } else {
                        at = Some(0);
                        routed = true;
                    }
                }
                Some(b'[') => {
                    let literal = self.lexer.until(|octet| octet == b']');
                    spec.extend_from_slice(literal);
                }
                // An address before it, and no route: others may read that one, so it must not vanish.
                Some(b':') if at.is_some() && !routed => {
                    self.lexer.skip(1);
                    spec.push(b':');
                }
                Some(b':') => {
                    // RFC 5322 §4.4. What is no route before a colon means nothing.
                    self.lexer.skip(1);
                    if std::mem::take(&mut routed) {
                        self.route.push(b'@');
                        self.route.extend_from_slice(spec);
                    }
                    spec.clear();
                    at = None;
                }
                Some(_) => {
                    let run = self.lexer.until(ends_word);
                    spec.extend_from_slice(run);
                    self.lexer.skip(usize::from(run.is_empty()));
                }
            }
        }
        let domain = at.map_or(spec.len(), |at| at.min(spec.len()));
        let (mailbox, host) = spec.split_at(domain);
        let comment = named(self.comment.take());
        each(Item::Mailbox {
            name: either(&self.words.text, &comment),
            route: &self.route,
            mailbox: mailbox.strip_suffix(b"@").unwrap_or(mailbox),
            host,
        });
        self.words.clear();
    }

    /// local-part `@` domain without brackets.
    fn bare(&mut self, each: &mut impl FnMut(Item<'_>)) {
        self.lexer.skip(1);
        self.lexer.space();
        self.domain();
        if self.lexer.peek() == Some(b'<') {
            // `a@x <a@x>`: what stood before is the name after all.
            self.words.text.push(b'@');
            self.words.text.extend_from_slice(&self.spec);
            return;
        }
        let comment = named(self.comment.take());
        let name = self.words.text[..self.words.local_start].trim_ascii_end();
        each(Item::Mailbox {
            name: either(name, &comment),
            route: &[],
            mailbox: &self.words.local,
            host: &self.spec,
        });
        self.words.clear();
    }

    /// Reads a domain into `spec`: a literal, or atoms and dots with white space around the dots. RFC 5322 §3.4.1, §4.4.
    /// A comment behind it may be the name.
    fn domain(&mut self) {
        self.spec.clear();
        if self.lexer.peek() == Some(b'[') {
            let inside = self.lexer.until(|octet| octet == b']');
            self.lexer.skip(1);
            self.spec.extend_from_slice(inside);
            self.spec.push(b']');
        }
        loop {
            let run = self.lexer.until(ends_word);
            self.spec.extend_from_slice(run);
            if let Some(comment) = self.lexer.space() {
                self.comment = Some(comment);
            }
            let goes_on = self.spec.ends_with(b".") || self.lexer.peek() == Some(b'.');
            if run.is_empty() || !goes_on {
                return;
            }
        }
    }

    /// Words that a `,`, `;` or the end leaves without an address: a local part.
    fn alone(&mut self, each: &mut impl FnMut(Item<'_>)) {
        let comment = named(self.comment.take());
        if !self.words.text.is_empty() {
            each(Item::Mailbox {
                name: either(&[], &comment),
                route: &[],
                mailbox: &self.words.text,
                host: &[],
            });
        }
        self.words.clear();
    }
}

/// The words, or the comment where there are none.
fn either<'w>(words: &'w [u8], comment: &'w [u8]) -> Option<&'w [u8]> {
    let name = if words.is_empty() { comment } else { words };
    (!name.is_empty()).then_some(name)
}

/// A comment as a name: without quoted pairs.
fn named(comment: Option<&[u8]>) -> Vec<u8> {
    comment.map_or(Vec::new(), |comment| without_pairs(comment.trim_ascii()))
}

/// Octets that end a word, as a table: this is asked for every octet of every address.
const ENDS_WORD: [bool; 256] = {
    let mut table = [false; 256];
    let ends = b" \t\r\n\x0c()<>@,;:\"";
    let mut at = 0;
    while at < ends.len() {
        table[ends[at] as usize] = true;
        at += 1;
    }
    table
};

fn ends_word(octet: u8) -> bool {
    ENDS_WORD[usize::from(octet)]
}

/// Words of a phrase, with one space between them; and, should an `@` follow, the local part that they end in:
/// around dots it may have white space too. RFC 5322 §4.4.
#[derive(Default)]
struct Words {
    text: Vec<u8>,
    /// The local part, and where it begins in `text`.
    local: Vec<u8>,
    local_start: usize,
}

impl Words {
    fn add(&mut self, word: &[u8]) {
        if !self.text.is_empty() {
            self.text.push(b' ');
        }
        if !self.local.ends_with(b".") && !word.starts_with(b".") {
            self.local.clear();
            self.local_start = self.text.len();
        }
        self.local.extend_from_slice(word);
        self.text.extend_from_slice(word);
    }

    fn clear(&mut self) {
        self.text.clear();
        self.local.clear();
        self.local_start = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(value: &[u8]) -> String {
        let mut shown = Vec::new();
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        parse(value, &mut |item| {
            shown.push(match item {
                Item::Mailbox {
                    name,
                    route,
                    mailbox,
                    host,
                } => {
                    let name = name.map_or("-".into(), text);
                    let route = match route {
                        [] => String::new(),
                        route => text(route) + ":",
                    };
                    format!("{name}|{route}{}|{}", text(mailbox), text(host))
                }
                Item::GroupStart(name) => format!("{{{}", text(name)),
                Item::GroupEnd => "}".into(),
            });
        });
        shown.join(" ")
    }

    #[test]
    fn cases() {
        let cases: &[(&str, &str)] = &[
            ("", ""),
            ("joe@x.org", "-|joe|x.org"),
            ("Joe <joe@x.org>", "Joe|joe|x.org"),
            ("<joe@x.org>", "-|joe|x.org"),
            ("joe@x.org (Joe Q)", "Joe Q|joe|x.org"),
            ("joe (Joe) @ x.org", "Joe|joe|x.org"),
            ("\"a b\"@x.org", "-|a b|x.org"),
            ("john . doe @ x . org", "-|john.doe|x.org"),
            ("Joe Q joe@x.org", "Joe Q|joe|x.org"),
            ("root", "-|root|"),
            ("a@x, b@y,,", "-|a|x -|b|y"),
            ("a@x; b@y", "-|a|x -|b|y"),
            ("undisclosed-recipients:;", "{undisclosed-recipients }"),
            ("friends: a@x, B <b@y>; c@z", "{friends -|a|x B|b|y } -|c|z"),
            ("open: a@x", "{open -|a|x }"),
            ("<>", ""),
            ("x <a@b@c>", "x|a@b|c"),
            ("a@x <a@x>", "a@x|a|x"),
            ("<\"a b\"@x>", "-|a b|x"),
            ("a@[192.0.2.1]", "-|a|[192.0.2.1]"),
            ("a <a@[IPv6:::1]>", "a|a|[IPv6:::1]"),
            ("((((", ""),
            ("@@@, <, a@x", "-|a|x"),
            ("\"", ""),
            ("<", ""),
            // RFC 5322 appendix A.1.2, A.1.3, A.5, A.6.1.
            (
                "Joe Q. Public <john.q.public@example.com>",
                "Joe Q. Public|john.q.public|example.com",
            ),
            (
                "\"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
                "Giant; \"Big\" Box|sysservices|example.net",
            ),
            (
                "A Group:Ed Jones <joe@where.test>,John <jdoe@one.test>;",
                "{A Group Ed Jones|joe|where.test John|jdoe|one.test }",
            ),
            (
                "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
                "Pete|pete|silly.test",
            ),
            (
                "Mary Smith <@node.test:mary@example.net>",
                "Mary Smith|@node.test:mary|example.net",
            ),
            ("<@a,@b:mary@example.net>", "-|@a,@b:mary|example.net"),
            ("<@a, @b , @c:mary@d>, <x:y@z>", "-|@a,@b,@c:mary|d -|y|z"),
            ("<@a,@b>, c@d", "-|a,|b -|c|d"),
            ("<a@b:c@d>", "-|a@b:c|d"),
            ("<a@b:>", "-|a|b:"),
            ("=?utf-8?q?J=C3=B6?= <j@x>", "=?utf-8?q?J=C3=B6?=|j|x"),
        ];
        for (value, expected) in cases {
            assert_eq!(show(value.as_bytes()), *expected, "{value:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(value in "[\"\\\\()<>@,;:.\\[\\] ab]{0,40}") {
            show(value.as_bytes());
        }
    }
}
