//! ENVELOPE and BODYSTRUCTURE, from plain fields. RFC 3501 §7.4.2.
//!
//! The caller walks its own tree of parts and hands each over; nothing here knows where the fields come from. All
//! strings are raw as the header has them, unfolded.

use crate::write::{nstring, number, string};

/// One address of an ENVELOPE. A group begins with an address that has only a mailbox (its name) and ends with
/// one that has nothing. RFC 3501 §7.4.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Address<'m> {
    pub name: Option<&'m [u8]>,
    /// The source route, `addr-adl`.
    pub route: Option<&'m [u8]>,
    pub mailbox: Option<&'m [u8]>,
    pub host: Option<&'m [u8]>,
}

/// `((name route mailbox host) ...)`, or NIL where there is none.
pub fn addresses<'m>(out: &mut Vec<u8>, addresses: impl IntoIterator<Item = Address<'m>>) {
    let start = out.len();
    for address in addresses {
        out.extend_from_slice(if out.len() == start { b"((" } else { b"(" });
        nstring(out, address.name);
        out.push(b' ');
        nstring(out, address.route);
        out.push(b' ');
        nstring(out, address.mailbox);
        out.push(b' ');
        nstring(out, address.host);
        out.push(b')');
    }
    out.extend_from_slice(if out.len() == start { b"NIL" } else { b")" });
}

/// The fields of an ENVELOPE that are strings; between the second and the third stand the six address lists.
#[derive(Clone, Copy, Debug, Default)]
pub struct Envelope<'m> {
    pub date: Option<&'m [u8]>,
    pub subject: Option<&'m [u8]>,
    pub in_reply_to: Option<&'m [u8]>,
    pub message_id: Option<&'m [u8]>,
}

/// `("date" "subject" from sender reply-to to cc bcc in-reply-to message-id)`. `list` writes the address list with
/// the number it is given: 0 from, 1 sender, 2 reply-to, 3 to, 4 cc, 5 bcc. Sender and reply-to fall back to from
/// where the header has none; the caller sees to that.
pub fn envelope(
    out: &mut Vec<u8>,
    fields: &Envelope<'_>,
    mut list: impl FnMut(&mut Vec<u8>, usize),
) {
    out.push(b'(');
    nstring(out, fields.date);
    out.push(b' ');
    nstring(out, fields.subject);
    for which in 0..6 {
        out.push(b' ');
        list(out, which);
    }
    out.push(b' ');
    nstring(out, fields.in_reply_to);
    out.push(b' ');
    nstring(out, fields.message_id);
    out.push(b')');
}

/// `("CHARSET" "UTF-8" ...)`, or NIL where there is none. body-fld-param.
pub fn parameters<'m>(
    out: &mut Vec<u8>,
    parameters: impl IntoIterator<Item = (&'m [u8], &'m [u8])>,
) {
    let start = out.len();
    for (name, value) in parameters {
        out.push(if out.len() == start { b'(' } else { b' ' });
        string(out, name);
        out.push(b' ');
        string(out, value);
    }
    out.extend_from_slice(if out.len() == start { b"NIL" } else { b")" });
}

/// Whether extension data is written: BODYSTRUCTURE has it, BODY has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Body,
    BodyStructure,
}

/// What parts of every kind have, besides parameters. body-fields, and of the extension data all but the
/// disposition.
#[derive(Clone, Copy, Debug, Default)]
pub struct Part<'m> {
    /// Media type; TEXT where the header has none. RFC 2045 §5.2.
    pub media_type: &'m [u8],
    pub subtype: &'m [u8],
    pub id: Option<&'m [u8]>,
    pub description: Option<&'m [u8]>,
    /// Content-Transfer-Encoding; 7BIT where the header has none.
    pub encoding: Option<&'m [u8]>,
    /// Of the encoded body.
    pub octets: u64,
    /// Of the encoded body; written for text and message/rfc822.
    pub lines: u64,
    pub md5: Option<&'m [u8]>,
    /// Tags of Content-Language.
    pub language: &'m [&'m [u8]],
    pub location: Option<&'m [u8]>,
}

impl Part<'_> {
    /// Whether the structure has a line count: body-type-text.
    pub fn is_text(&self) -> bool {
        self.media_type.eq_ignore_ascii_case(b"text")
    }
}

/// Opens a leaf or a message/rfc822: `("TEXT" "PLAIN" params id desc "7BIT" 1152`. For message/rfc822 the caller
/// then writes a space, the envelope, a space and the inner structure; afterwards [`part_end`].
pub fn part<'m>(
    out: &mut Vec<u8>,
    part: &Part<'m>,
    params: impl IntoIterator<Item = (&'m [u8], &'m [u8])>,
) {
    out.push(b'(');
    string(out, part.media_type);
    out.push(b' ');
    string(out, part.subtype);
    out.push(b' ');
    parameters(out, params);
    out.push(b' ');
    nstring(out, part.id);
    out.push(b' ');
    nstring(out, part.description);
    out.push(b' ');
    string(out, part.encoding.unwrap_or(b"7BIT"));
    out.push(b' ');
    number(out, part.octets);
}

/// ` lines`: body-fld-lines, after [`part`] of a text, after the inner structure of a message/rfc822.
pub fn lines(out: &mut Vec<u8>, lines: u64) {
    out.push(b' ');
    number(out, lines);
}

/// Closes what [`part`] opened, with the extension data body-ext-1part where `form` asks for it.
pub fn part_end<'m>(
    out: &mut Vec<u8>,
    form: Form,
    part: &Part<'m>,
    disposition: Option<&'m [u8]>,
    disposition_params: impl IntoIterator<Item = (&'m [u8], &'m [u8])>,
) {
    if form == Form::BodyStructure {
        out.push(b' ');
        nstring(out, part.md5);
        extension(out, part, disposition, disposition_params);
    }
    out.push(b')');
}

/// Opens a multipart; the caller then writes the structures of its parts, without spaces. RFC 3501 §9,
/// `body-type-mpart`: there is at least one.
pub fn multipart(out: &mut Vec<u8>) {
    out.push(b'(');
}

/// Closes a multipart: ` "MIXED"`, the extension data body-ext-mpart where `form` asks for it, `)`.
pub fn multipart_end<'m>(
    out: &mut Vec<u8>,
    form: Form,
    part: &Part<'m>,
    params: impl IntoIterator<Item = (&'m [u8], &'m [u8])>,
    disposition: Option<&'m [u8]>,
    disposition_params: impl IntoIterator<Item = (&'m [u8], &'m [u8])>,
) {
    out.push(b' ');
    string(out, part.subtype);
    if form == Form::BodyStructure {
        out.push(b' ');
        parameters(out, params);
        extension(out, part, disposition, disposition_params);
    }
    out.push(b')');
}

/// body-fld-dsp SP body-fld-lang SP body-fld-loc
fn extension<'m>(
    out: &mut Vec<u8>,
    part: &Part<'m>,
    disposition: Option<&'m [u8]>,
    disposition_params: impl IntoIterator<Item = (&'m [u8], &'m [u8])>,
) {
    out.push(b' ');
    match disposition {
        None => out.extend_from_slice(b"NIL"),
        Some(disposition) => {
            out.push(b'(');
            string(out, disposition);
            out.push(b' ');
            parameters(out, disposition_params);
            out.push(b')');
        }
    }
    out.push(b' ');
    match part.language {
        [] => out.extend_from_slice(b"NIL"),
        [one] => string(out, one),
        several => {
            for (at, language) in several.iter().enumerate() {
                out.push(if at == 0 { b'(' } else { b' ' });
                string(out, language);
            }
            out.push(b')');
        }
    }
    out.push(b' ');
    nstring(out, part.location);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_source_route_is_told() {
        let mary = [Address {
            name: None,
            route: Some(b"@a,@b"),
            mailbox: Some(b"mary"),
            host: Some(b"x"),
        }];
        let got = text(|out| addresses(out, mary));
        assert_eq!(got, "((NIL \"@a,@b\" \"mary\" \"x\"))");
    }

    /// RFC 3501 §8, sample session.
    #[test]
    fn envelopes() {
        let terry = [Address {
            name: Some(b"Terry Gray"),
            mailbox: Some(b"gray"),
            host: Some(b"cac.washington.edu"),
            route: None,
        }];
        let fields = Envelope {
            date: Some(b"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)"),
            subject: Some(b"IMAP4rev1 WG mtg summary and minutes"),
            in_reply_to: None,
            message_id: Some(b"<B27397-0100000@cac.washington.edu>"),
        };
        let got = text(|out| {
            envelope(out, &fields, |out, which| match which {
                0..3 => addresses(out, terry),
                _ => addresses(out, []),
            })
        });
        let terry = "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\"))";
        assert_eq!(
            got,
            format!(
                "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \
                 \"IMAP4rev1 WG mtg summary and minutes\" {terry} {terry} {terry} NIL NIL NIL NIL \
                 \"<B27397-0100000@cac.washington.edu>\")"
            )
        );
    }

    /// RFC 3501 §7.4.2, the examples of BODYSTRUCTURE.
    #[test]
    fn structures() {
        let plain = Part {
            media_type: b"TEXT",
            subtype: b"PLAIN",
            octets: 2279,
            lines: 48,
            ..Part::default()
        };
        let charset = || [(&b"CHARSET"[..], &b"US-ASCII"[..])];
        let leaf = |out: &mut Vec<u8>, form| {
            part(out, &plain, charset());
            lines(out, plain.lines);
            part_end(out, form, &plain, None, []);
        };
        assert_eq!(
            text(|out| leaf(out, Form::Body)),
            "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 2279 48)"
        );
        let mixed = Part {
            media_type: b"multipart",
            subtype: b"MIXED",
            language: &[b"de", b"en"],
            ..Part::default()
        };
        let attached: &[u8] = b"attachment";
        assert_eq!(
            text(|out| {
                multipart(out);
                leaf(out, Form::BodyStructure);
                leaf(out, Form::Body);
                let name = [(&b"filename"[..], &b"a.txt"[..])];
                let boundary = [(&b"boundary"[..], &b"x y"[..])];
                multipart_end(
                    out,
                    Form::BodyStructure,
                    &mixed,
                    boundary,
                    Some(attached),
                    name,
                );
            }),
            "((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 2279 48 NIL NIL NIL NIL)\
             (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 2279 48) \"MIXED\" \
             (\"boundary\" \"x y\") (\"attachment\" (\"filename\" \"a.txt\")) (\"de\" \"en\") NIL)"
        );
    }
}
