//! ENVELOPE, BODY and BODYSTRUCTURE out of a digest: no octet of the mail is read. RFC 3501 §7.4.2.

use ringpost_imap::structure::{self, Form};
use ringpost_imap::write::nstring;
use ringpost_message::digest::{Address, Addresses, Digest, Envelope, Kind, Part};

/// `("date" "subject" ...)`.
pub(crate) fn envelope(out: &mut Vec<u8>, envelope: &Envelope<'_>) {
    let fields = structure::Envelope {
        date: envelope.date,
        subject: envelope.subject,
        in_reply_to: envelope.in_reply_to,
        message_id: envelope.message_id,
    };
    let lists = [
        envelope.from,
        envelope.sender,
        envelope.reply_to,
        envelope.to,
        envelope.cc,
        envelope.bcc,
    ];
    structure::envelope(out, &fields, |out, which| addresses(out, lists[which]));
}

fn addresses(out: &mut Vec<u8>, list: Addresses<'_>) {
    structure::addresses(
        out,
        list.map(|address| match address {
            Address::Mailbox {
                name,
                route,
                mailbox,
                host,
            } => structure::Address {
                name,
                route,
                mailbox: Some(mailbox),
                // NIL would make it the start of a group.
                host: Some(host),
            },
            Address::GroupStart(name) => structure::Address {
                mailbox: Some(name),
                ..structure::Address::default()
            },
            Address::GroupEnd => structure::Address::default(),
        }),
    );
}

/// The structure of the whole message.
pub(crate) fn body(out: &mut Vec<u8>, form: Form, digest: &Digest<'_>) {
    part(out, form, digest, digest.root());
}

/// Recursion is bounded by the depth that a digest may have.
fn part(out: &mut Vec<u8>, form: Form, digest: &Digest<'_>, this: Part<'_>) {
    let languages: Vec<&[u8]> = this.languages.collect();
    let mut fields = structure::Part {
        media_type: this.media_type,
        subtype: this.subtype,
        id: this.id,
        description: this.description,
        encoding: Some(this.encoding),
        octets: this.body.len() as u64,
        lines: this.lines,
        md5: this.md5,
        language: &languages,
        location: this.location,
    };
    match this.kind {
        Kind::Multipart => {
            structure::multipart(out);
            for child in digest.children(this.index) {
                part(out, form, digest, child);
            }
            structure::multipart_end(
                out,
                form,
                &fields,
                this.parameters,
                this.disposition,
                this.disposition_parameters,
            );
            return;
        }
        Kind::Message => {
            structure::part(out, &fields, this.parameters);
            out.push(b' ');
            match digest.nested_envelope(this.index) {
                Some(nested) => envelope(out, &nested),
                None => nstring(out, None),
            }
            out.push(b' ');
            match digest.nested(this.index) {
                Some(nested) => part(out, form, digest, nested),
                None => nstring(out, None),
            }
            structure::lines(out, this.lines);
        }
        Kind::Leaf => {
            if is_opaque(&this) {
                (fields.media_type, fields.subtype) = (b"APPLICATION", b"OCTET-STREAM");
            }
            structure::part(out, &fields, this.parameters);
            if fields.is_text() {
                structure::lines(out, this.lines);
            }
        }
    }
    structure::part_end(
        out,
        form,
        &fields,
        this.disposition,
        this.disposition_parameters,
    );
}

/// A multipart without parts, or a message that could not be told apart: under its own name the grammar would
/// promise what is not there. RFC 3501 §9, `body-type-1part`.
fn is_opaque(this: &Part<'_>) -> bool {
    this.media_type.eq_ignore_ascii_case(b"multipart")
        || this.is("message", "rfc822")
        || this.is("message", "global")
}
