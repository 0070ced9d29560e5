//! Sections of a mail: where the octets of BODY[...] are. RFC 3501 §6.4.5.
//!
//! In:  a section, the mail's digest. Out: a [`Place`] in the recipient's mail, which is its prefix followed by the
//! shared octets.

use ringpost_imap::command::{Section, SectionText};
use ringpost_message::header::Take;
use ringpost_message::{Digest, Span};
use std::ops::Range;

/// Where a section's octets come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place<'c> {
    /// As they stand.
    Run(Run),
    /// Fields chosen out of a header, and an empty line.
    Fields {
        header: Run,
        names: &'c [&'c [u8]],
        take: Take,
    },
    /// There is no such part: NIL.
    Nowhere,
}

/// Octets of the mail that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Whether the recipient's prefix comes first.
    pub prefix: bool,
    /// Of the shared octets.
    pub shared: Range<u64>,
}

/// Finds a section.
pub(crate) fn find<'c>(section: &Section<'c>, digest: &Digest<'_>) -> Place<'c> {
    if section.part.is_empty() {
        return of_message(section, digest);
    }
    let Some(part) = digest.find(section.part) else {
        return Place::Nowhere;
    };
    match section.text {
        SectionText::Whole => Place::Run(run(part.body)),
        SectionText::Mime => Place::Run(run(part.header)),
        // HEADER and TEXT are those of the message inside. RFC 3501 §6.4.5.
        text => match digest.nested(part.index) {
            Some(nested) => chosen(text, run(nested.header), run(nested.body)),
            None => Place::Nowhere,
        },
    }
}

/// A section of the message itself.
fn of_message<'c>(section: &Section<'c>, digest: &Digest<'_>) -> Place<'c> {
    let prefixed = |shared: Range<u64>| Run {
        prefix: true,
        shared,
    };
    match section.text {
        SectionText::Whole => Place::Run(prefixed(0..digest.octets())),
        text => chosen(
            text,
            prefixed(run(digest.header()).shared),
            run(digest.body()),
        ),
    }
}

fn chosen<'c>(text: SectionText<'c>, header: Run, body: Run) -> Place<'c> {
    let fields = |header, names, take| Place::Fields {
        header,
        names,
        take,
    };
    match text {
        SectionText::Header | SectionText::Mime => Place::Run(header),
        SectionText::HeaderFields(names) => fields(header, names, Take::Named),
        SectionText::HeaderFieldsNot(names) => fields(header, names, Take::Others),
        SectionText::Text | SectionText::Whole => Place::Run(body),
    }
}

fn run(span: Span) -> Run {
    Run {
        prefix: false,
        shared: span.start as u64..span.end as u64,
    }
}

/// Cuts a length down to what a partial asks for: where to begin, and how many octets. RFC 3501 §6.4.5.
pub(crate) fn cut(octets: u64, partial: Option<(u64, u64)>) -> (u64, u64) {
    let (first, count) = partial.unwrap_or((0, u64::MAX));
    let first = first.min(octets);
    (first, count.min(octets - first))
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn partials() {
        /// Octets there are; what is asked for; where to begin and how many.
        type Case = (u64, Option<(u64, u64)>, (u64, u64));
        const CASES: &[Case] = &[
            (10, None, (0, 10)),
            (10, Some((0, 10)), (0, 10)),
            (10, Some((0, 11)), (0, 10)),
            (10, Some((3, 4)), (3, 4)),
            (10, Some((9, 4)), (9, 1)),
            (10, Some((10, 4)), (10, 0)),
            (10, Some((11, 4)), (10, 0)),
            (10, Some((u64::MAX, u64::MAX)), (10, 0)),
            (0, Some((0, 1)), (0, 0)),
        ];
        for (octets, partial, expected) in CASES {
            assert_eq!(cut(*octets, *partial), *expected, "{octets} {partial:?}");
        }
    }
}
