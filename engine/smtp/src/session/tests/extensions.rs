//! The extensions' words in their places; that values are read right is the tables' of `parameter`.

use super::played::*;

const DIALOGUES: &[Dialogue] = &[
    (
        "RFC 3461 §10: a sender says which notices it wants",
        MX_QUEUE,
        "> EHLO Example.ORG
         = offer DSN|DELIVERBY
         > MAIL FROM:<Alice@Example.ORG> RET=HDRS ENVID=QQ314159
         * mail Alice@example.org ret Headers envid QQ314159
         < 250 2.1.0 Sender ok
         > RCPT TO:<bob@example.org> NOTIFY=SUCCESS ORCPT=rfc822;Bob@Example.COM
         * rcpt bob@example.org notify 2 orcpt rfc822;Bob@Example.COM
         < 250 2.1.5 Recipient ok
         > RCPT TO:<carol@example.org> ORCPT=rfc822;Carol+2Bx@y NOTIFY=FAILURE,DELAY
         * rcpt carol@example.org notify 12 orcpt rfc822;Carol+x@y
         < 250 2.1.5 Recipient ok
         > RCPT TO:<alice@example.org> NOTIFY=NEVER
         * rcpt alice@example.org notify 1
         < 250 2.1.5 Recipient ok
         > DATA
         * begin
         < 354 End with CRLF . CRLF
         > a
         > .
         * deliver a\\r\\n
         < 250 2.0.0 taken",
    ),
    (
        "notices asked for wrongly, and header lines in them",
        MX_QUEUE,
        "> HELO a
         < 250 mx.example.org
         > MAIL FROM:<a@b> RET=ALL
         < 501 5.5.4 Syntax error in arguments
         > MAIL FROM:<a@b> ENVID=a+0D+0ABcc:x
         < 501 5.5.4 ENVID is up to 100 printable characters in xtext
         > MAIL FROM:<a@b> RET=FULL RET=FULL
         < 501 5.5.4 A parameter is given twice
         > MAIL FROM:<a@b> NOTIFY=NEVER
         < 555 5.5.4 Parameter not recognized
         > MAIL FROM:<a@b> REQUIRETLS
         < 555 5.5.4 Parameter not recognized
         > MAIL FROM:<a@b> HOLDFOR=60
         < 555 5.5.4 Parameter not recognized
         > MAIL FROM:<a@b> MT-PRIORITY=1
         < 555 5.5.4 Parameter not recognized
         > MAIL FROM:<a@b> BY=0;R
         < 501 5.5.4 BY is seconds, a semicolon, R or N, and T for a trace; R needs time to come
         > MAIL FROM:<a@b> BY=-10;nt
         * mail a@b by -10 Notify true
         < 250 2.1.0 Sender ok
         > RCPT TO:<bob@example.org> NOTIFY=NEVER,DELAY
         < 501 5.5.4 NOTIFY is NEVER alone, or a list of SUCCESS, FAILURE and DELAY
         > RCPT TO:<bob@example.org> ORCPT=rfc822;a+0Ab
         < 501 5.5.4 ORCPT is a type, a semicolon and an encoded address of printable characters
         > RCPT TO:<bob@example.org> ORCPT=utf-8;\u{f6}@b
         < 501 5.5.4 ORCPT is a type, a semicolon and an encoded address of printable characters
         > RCPT TO:<bob@example.org> ORCPT=utf-8;\\x{F6}@b
         * rcpt bob@example.org orcpt utf-8;\u{f6}@b
         < 250 2.1.5 Recipient ok",
    ),
    (
        "RFC 6533: UTF-8 in ORCPT, where MAIL said SMTPUTF8",
        MX_QUEUE,
        "> HELO a
         < 250 mx.example.org
         > MAIL FROM:<a@b> SMTPUTF8
         * mail a@b utf8
         < 250 2.1.0 Sender ok
         > RCPT TO:<bob@example.org> ORCPT=UTF-8;\u{f6}@b
         * rcpt bob@example.org orcpt utf-8;\u{f6}@b
         < 250 2.1.5 Recipient ok
         >> RCPT TO:<bob@example.org> ORCPT=utf-8;\\xc0\\x8a@b\\r\\n
         < 501 5.5.4 ORCPT is a type, a semicolon and an encoded address of printable characters
         >> RCPT TO:<bob@example.org> ORCPT=utf-8;a\\xe2\\x80\\xa8@b\\r\\n
         < 501 5.5.4 ORCPT is a type, a semicolon and an encoded address of printable characters",
    ),
    (
        "what a user may ask for: RFC 4865, RFC 2852, RFC 6710, RFC 8689",
        SUBMISSION_QUEUE,
        "> EHLO a
         = offer DSN|DELIVERBY|FUTURERELEASE 3600 2026-11-24T05:00:00Z|MT-PRIORITY|REQUIRETLS|AUTH PLAIN
         > AUTH PLAIN AHRpbQBzZWNyZXQ=
         * login tim
         < 235 2.7.0 Authenticated
         > MAIL FROM:<a@b> HOLDFOR=3601
         < 501 5.5.4 HOLDFOR or HOLDUNTIL is unreadable, in the past, too far off, or later than BY lets the mail live
         > MAIL FROM:<a@b> HOLDFOR=1 HOLDUNTIL=2026-11-24T05:00:00Z
         < 501 5.5.4 HOLDFOR or HOLDUNTIL is unreadable, in the past, too far off, or later than BY lets the mail live
         > MAIL FROM:<a@b> MT-PRIORITY=10
         < 501 5.5.4 MT-PRIORITY is a number from -9 to 9
         > MAIL FROM:<a@b> REQUIRETLS=YES
         < 501 5.5.4 Syntax error in arguments
         > MAIL FROM:<a@b> HOLDFOR=3600 BY=7200;R MT-PRIORITY=-9 REQUIRETLS
         * mail a@b requiretls hold For(3600) by 7200 Return false priority -9
         < 250 2.1.0 Sender ok
         > RSET
         * reset
         < 250 2.0.0 Flushed
         > MAIL FROM:<a@b> HOLDUNTIL=2026-11-24T04:30:00Z
         * mail a@b hold Until(1795494600)
         < 250 2.1.0 Sender ok",
    ),
    (
        "without a queue nothing of it is known",
        MX,
        "> HELO a
         < 250 mx.example.org
         > MAIL FROM:<a@b> RET=FULL
         < 555 5.5.4 Parameter not recognized
         > MAIL FROM:<a@b> ENVID=+
         < 555 5.5.4 Parameter not recognized
         > MAIL FROM:<a@b> BY=1;R
         < 555 5.5.4 Parameter not recognized
         > MAIL FROM:<a@b>
         * mail a@b
         < 250 2.1.0 Sender ok
         > RCPT TO:<bob@example.org> NOTIFY=NEVER
         < 555 5.5.4 Parameter not recognized
         > RCPT TO:<bob@example.org> ORCPT=rfc822;a@b
         < 555 5.5.4 Parameter not recognized",
    ),
    (
        "RFC 3030 §3: a binary mail goes by BDAT, and DATA is refused",
        MX,
        "> HELO a
         < 250 mx.example.org
         > MAIL FROM:<a@b> BODY=BINARYMIME
         > RCPT TO:<bob@example.org>
         * mail a@b binary
         < 250 2.1.0 Sender ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         > DATA
         < 503 5.5.1 BODY=BINARYMIME goes by BDAT
         > RSET
         * reset
         < 250 2.0.0 Flushed
         > MAIL FROM:<a@b> BODY=BINARYMIME
         > RCPT TO:<bob@example.org>
         >> BDAT 8\\r\\nA: b\\r\\n\\r\\nBDAT 4 LAST\\r\\n\\n\\r\\0\\xff
         * mail a@b binary
         < 250 2.1.0 Sender ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 250 2.0.0 Chunk taken
         * deliver A: b\\r\\n\\r\\n\\n\\r\\x00\\xff
         < 250 2.0.0 taken
         > MAIL FROM:<a@b> BODY=BINARYMIME
         > RCPT TO:<bob@example.org>
         >> BDAT 11 LAST\\r\\nA: b\\nC: d\\r\\n
         * mail a@b binary
         < 250 2.1.0 Sender ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         * abandon
         * reset
         < 550 5.6.11 Bare CR or LF in the message, or a line of NULs and dots",
    ),
    (
        "verbs that are known and not to be had",
        MX,
        "> ETRN example.org
         < 502 5.5.1 Not offered here
         > TURN
         < 502 5.5.1 Not offered here
         > BURL imap://x LAST
         < 502 5.5.1 Not offered here
         > SOML FROM:<a@b>
         < 502 5.5.1 Not offered here
         > EXPN list
         < 502 5.5.1 EXPN is not for strangers
         > VRFY d\u{f6}rte
         < 553 5.6.7 Non-ASCII address without SMTPUTF8
         > VRFY d\u{f6}rte SMTPUTF8
         < 252 2.5.2 Cannot verify; send mail and see
         > NOOP d\u{f6}rte
         < 500 5.5.2 A command is text, ended by CRLF
         > XCLIENT NAME=a
         < 550 5.7.0 You may not speak for others",
    ),
];

#[test]
fn dialogues_however_cut() {
    check_all(DIALOGUES);
}
