//! Bodies by DATA and by BDAT: sizes, line ends, chunks out of place. RFC 5321 §4.1.1.4, RFC 3030.

use super::played::*;

const DIALOGUES: &[Dialogue] = &[
    (
        "size up to the limit and one above",
        MX,
        "> HELO a
         > MAIL FROM:<a@b>
         > RCPT TO:<bob@example.org>
         > DATA
         < 250 mx.example.org
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 354 End with CRLF . CRLF
         > 45678901234567890123456789012345678901
         > .
         * deliver 45678901234567890123456789012345678901\\r\\n
         < 250 2.0.0 taken
         > MAIL FROM:<a@b>
         > RCPT TO:<bob@example.org>
         > DATA
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 354 End with CRLF . CRLF
         > 456789012345678901234567890123456789012
         > and more
         > .
         > NOOP
         * abandon
         * reset
         < 552 5.3.4 Message too large
         < 250 2.0.0 Ok",
    ),
    (
        "bare line ends: one mail, refused, and nothing smuggled",
        MX,
        "> HELO a
         > MAIL FROM:<a@b>
         > RCPT TO:<bob@example.org>
         > DATA
         < 250 mx.example.org
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 354 End with CRLF . CRLF
         >> a\\n.\\nMAIL FROM:<c@d>\\r\\n.\\r\\n
         * abandon
         * reset
         < 550 5.6.11 Bare CR or LF in the message, or a line of NULs and dots
         > MAIL FROM:<a@b>
         > RCPT TO:<bob@example.org>
         > DATA
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 354 End with CRLF . CRLF
         >> a\\r\\n.\\rb\\r\\n.\\r\\n
         * abandon
         * reset
         < 550 5.6.11 Bare CR or LF in the message, or a line of NULs and dots
         > MAIL FROM:<a@b>
         > RCPT TO:<bob@example.org>
         > DATA
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 354 End with CRLF . CRLF
         >> a\\nb\\r\\n45678901234567890123456789012345678901234567890\\r\\n.\\r\\n
         * abandon
         * reset
         < 552 5.3.4 Message too large",
    ),
    (
        "a NUL and eight bits in a body are taken",
        MX,
        "> HELO a
         > MAIL FROM:<a@b>
         > RCPT TO:<bob@example.org>
         > DATA
         < 250 mx.example.org
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 354 End with CRLF . CRLF
         >> a\\0\\xff\\r\\n.\\r\\n
         * deliver a\\x00\\xff\\r\\n
         < 250 2.0.0 taken",
    ),
    (
        "RFC 3030 §4.2: chunks, one of them empty",
        MX,
        "> EHLO a
         < 250-mx.example.org
         < 250-PIPELINING
         < 250-SIZE 40
         < 250-8BITMIME
         < 250-BINARYMIME
         < 250-CHUNKING
         < 250-SMTPUTF8
         < 250-ENHANCEDSTATUSCODES
         < 250 LIMITS MAILMAX=3 RCPTMAX=3
         > MAIL FROM:<ned@ymir.claremont.edu>
         > RCPT TO:<alice@example.org>
         >> BDAT 6\\r\\n.\\r\\nab\\rBDAT 0\\r\\nBDAT 3\\r\\n\\nc.BDAT 2 LAST\\r\\n\\r\\nNOOP\\r\\n
         * mail ned@ymir.claremont.edu
         < 250 2.1.0 Sender ok
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 250 2.0.0 Chunk taken
         < 250 2.0.0 Chunk taken
         < 250 2.0.0 Chunk taken
         * deliver .\\r\\nab\\r\\nc.\\r\\n
         < 250 2.0.0 taken
         < 250 2.0.0 Ok
         > MAIL FROM:<a@b>
         > RCPT TO:<alice@example.org>
         >> BDAT 3\\r\\na\\r\\nBDAT 0 LAST\\r\\n
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 250 2.0.0 Chunk taken
         * deliver a\\r\\n
         < 250 2.0.0 taken",
    ),
    (
        "chunks out of place are swallowed",
        MX,
        ">> BDAT 6 LAST\\r\\nQUIT\\r\\nNOOP\\r\\n
         < 503 5.5.1 Say MAIL first
         < 250 2.0.0 Ok
         > HELO a
         < 250 mx.example.org
         > MAIL FROM:<a@b>
         * mail a@b
         < 250 2.1.0 Sender ok
         >> BDAT 6\\r\\nQUIT\\r\\nBDAT 0 LAST\\r\\n
         * reset
         < 503 5.5.1 Say RCPT first
         < 503 5.5.1 Say MAIL first
         > MAIL FROM:<a@b>
         > RCPT TO:<alice@example.org>
         >> BDAT 3\\r\\na\\r\\nDATA\\r\\nRCPT TO:<bob@example.org>\\r\\nMAIL FROM:<a@b>\\r\\nRSET\\r\\n
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 250 2.0.0 Chunk taken
         < 503 5.5.1 BDAT is under way
         < 503 5.5.1 BDAT is under way
         < 503 5.5.1 BDAT is under way
         * reset
         < 250 2.0.0 Flushed",
    ),
    (
        "chunks too large, and with bare line ends",
        MX,
        "> HELO a
         > MAIL FROM:<a@b>
         > RCPT TO:<alice@example.org>
         >> BDAT 3\\r\\na\\r\\nBDAT 38\\r\\n45678901234567890123456789012345678901BDAT 3 LAST\\r\\na\\r\\n
         < 250 mx.example.org
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 250 2.0.0 Chunk taken
         * abandon
         * reset
         < 552 5.3.4 Message too large
         < 503 5.5.1 Say MAIL first
         > MAIL FROM:<a@b>
         > RCPT TO:<alice@example.org>
         >> BDAT 2 LAST\\r\\na\\rNOOP\\r\\n
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         * begin
         * reset
         < 550 5.6.11 Bare CR or LF in the message, or a line of NULs and dots
         < 250 2.0.0 Ok",
    ),
    (
        "a chunk of unknown length ends the session: what follows is no command",
        MX,
        "> HELO a
         < 250 mx.example.org
         > BDAT x LAST
         > MAIL FROM:<a@b>
         < 521 5.5.4 No telling where that chunk ends
         * close",
    ),
];

#[test]
fn dialogues_however_cut() {
    check_all(DIALOGUES);
}
