//! Commands in and out of order, and their syntax. RFC 5321.

use super::played::*;

const DIALOGUES: &[Dialogue] = &[
    (
        "RFC 5321 §D.1: a typical transaction",
        MX,
        "> EHLO bar.com
         < 250-mx.example.org
         < 250-PIPELINING
         < 250-SIZE 40
         < 250-8BITMIME
         < 250-BINARYMIME
         < 250-CHUNKING
         < 250-SMTPUTF8
         < 250-ENHANCEDSTATUSCODES
         < 250 LIMITS MAILMAX=3 RCPTMAX=3
         > MAIL FROM:<Smith@bar.com>
         * mail Smith@bar.com
         < 250 2.1.0 Sender ok
         > RCPT TO:<alice@example.org>
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         > RCPT TO:<Green@example.org>
         * rcpt Green@example.org
         < 550 5.1.1 No such user
         > DATA
         * begin
         < 354 End with CRLF . CRLF
         > Blah
         > ..etc
         > .
         * deliver Blah\\r\\n.etc\\r\\n
         < 250 2.0.0 taken
         > QUIT
         < 221 2.0.0 Bye
         * close",
    ),
    (
        "RFC 2920 §3: commands pipelined, replies in order",
        MX,
        "> HELO a
         > MAIL FROM:<>
         > RCPT TO:<alice@example.org>
         > RCPT TO:<nobody@example.org>
         > RCPT TO:<PostMaster>
         > DATA
         < 250 mx.example.org
         * mail <>
         < 250 2.1.0 Sender ok
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         * rcpt nobody@example.org
         < 550 5.1.1 No such user
         * rcpt postmaster
         < 250 2.1.5 Recipient ok
         * begin
         < 354 End with CRLF . CRLF
         > a
         > .
         > MAIL FROM:<b@c>
         > RSET
         > QUIT
         * deliver a\\r\\n
         < 250 2.0.0 taken
         * mail b@c
         < 250 2.1.0 Sender ok
         * reset
         < 250 2.0.0 Flushed
         < 221 2.0.0 Bye
         * close",
    ),
    (
        "out of order",
        MX,
        "> MAIL FROM:<a@b>
         < 503 5.5.1 Say EHLO first
         > RCPT TO:<a@b>
         < 503 5.5.1 Say MAIL first
         > DATA
         < 503 5.5.1 Say MAIL first
         > LHLO a
         < 500 5.5.1 Not the greeting of this protocol
         > STARTTLS
         < 502 5.5.1 Not offered here
         > AUTH PLAIN
         < 502 5.5.1 Not offered here
         > HELO a
         < 250 mx.example.org
         > MAIL FROM:<a@b>
         * mail a@b
         < 250 2.1.0 Sender ok
         > MAIL FROM:<a@b>
         < 503 5.5.1 Sender already given
         > DATA
         < 503 5.5.1 Say RCPT first
         > RCPT TO:<x@example.org>
         * rcpt x@example.org
         < 550 5.1.1 No such user
         > DATA
         < 554 5.5.1 No valid recipients
         > HELO a
         * reset
         < 250 mx.example.org
         > RSET
         < 250 2.0.0 Flushed
         > NOOP x
         < 250 2.0.0 Ok
         > HELP
         < 214 2.0.0 See RFC 5321
         > VRFY a
         < 252 2.5.2 Cannot verify; send mail and see
         > EXPN a
         < 502 5.5.1 EXPN is not for strangers",
    ),
    (
        "refusals of syntax",
        MX,
        "> BLAH
         < 500 5.5.1 Command not recognized
         > EHLO
         < 501 5.5.4 Syntax error in arguments
         > HELO two names
         < 501 5.5.4 That is not a host name or address literal
         > HELO dörte.example
         < 501 5.5.4 That is not a host name or address literal
         > HELO [127.0.0.1]
         < 250 mx.example.org
         > MAIL FROM:a@b
         < 501 5.1.7 Bad sender address syntax
         > MAIL FROM:<a@b..c>
         < 501 5.1.7 Bad sender address syntax
         > MAIL FROM:<postmaster>
         < 501 5.1.7 Bad sender address syntax
         > MAIL FROM:<a@b> RET=FULL
         < 555 5.5.4 Parameter not recognized
         > MAIL FROM:<a@b> SIZE=x
         < 501 5.5.4 Syntax error in arguments
         > MAIL FROM:<a@b> SIZE=41
         < 552 5.3.4 Message too large
         > MAIL FROM:<dörte@b>
         < 553 5.6.7 Non-ASCII address without SMTPUTF8
         > MAIL FROM:<banned@example.net>
         * mail banned@example.net
         < 550 5.7.1 Not you
         > MAIL FROM:<@x,@y:a@b> SIZE=40 BODY=8BITMIME
         * mail a@b size 40
         < 250 2.1.0 Sender ok
         > RCPT TO:<>
         < 501 5.1.3 Bad recipient address syntax
         > RCPT TO:<a@b@c>
         < 501 5.1.3 Bad recipient address syntax
         > RCPT TO:<alice@example.org> NOTIFY=NEVER
         < 555 5.5.4 Parameter not recognized
         > RCPT TO:<dörte@example.org>
         < 553 5.6.7 Non-ASCII address without SMTPUTF8
         > DATA now
         < 501 5.5.4 Syntax error in arguments",
    ),
    (
        "octets that are no command",
        MX,
        ">> NO\\0OP\\r\\n
         < 500 5.5.2 A command is text, ended by CRLF
         >> NOOP\\nQUIT\\r\\n
         < 500 5.5.2 A command is text, ended by CRLF
         >> NOOP\\rQUIT\\r\\n
         < 500 5.5.2 A command is text, ended by CRLF
         >> \\r\\n
         < 500 5.5.1 Command not recognized
         >> NOOP aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\r\\n
         < 250 2.0.0 Ok
         >> NOOP aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\r\\nNOOP\\r\\n
         < 500 5.5.2 Line too long
         < 250 2.0.0 Ok",
    ),
    (
        "recipients up to the limit and one above",
        MX,
        "> HELO a
         > MAIL FROM:<a@b>
         > RCPT TO:<alice@example.org>
         > RCPT TO:<bob@example.org>
         > RCPT TO:<carol@example.org>
         > RCPT TO:<postmaster>
         < 250 mx.example.org
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * rcpt carol@example.org
         < 250 2.1.5 Recipient ok
         < 452 4.5.3 Too many recipients",
    ),
    (
        "a browser made to speak: its headers are no errors to sit out, its body no commands",
        MX,
        "> POST / HTTP/1.1
         > Host: mx.example.org
         > HELO a
         > MAIL FROM:<a@b>
         < 521 5.5.1 This is no web server
         * close",
    ),
    (
        "RFC 6531: UTF-8 addresses with SMTPUTF8, quoted local parts",
        MX,
        "> HELO a
         > MAIL FROM:<dörte@sörensen.example> SMTPUTF8
         > RCPT TO:<\"bob\"@EXAMPLE.org>
         > RCPT TO:<ünbekannt@example.org>
         < 250 mx.example.org
         * mail dörte@xn--srensen-90a.example utf8
         < 250 2.1.0 Sender ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * rcpt ünbekannt@example.org
         < 550 5.1.1 No such user",
    ),
    (
        "a refused DATA: a client that waits goes on",
        MX,
        "> HELO a
         > MAIL FROM:<a@b>
         > RCPT TO:<x@example.org>
         > DATA
         > RSET
         < 250 mx.example.org
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt x@example.org
         < 550 5.1.1 No such user
         < 554 5.5.1 No valid recipients
         * reset
         < 250 2.0.0 Flushed
         > BLAH
         < 500 5.5.1 Command not recognized",
    ),
    (
        "a refused DATA: the mail of one that does not is no script",
        MX,
        "> HELO a
         > MAIL FROM:<a@b>
         > RCPT TO:<x@example.org>
         > DATA
         > Subject: x
         > MAIL FROM:<evil@b>
         > RCPT TO:<bob@example.org>
         < 250 mx.example.org
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt x@example.org
         < 550 5.1.1 No such user
         < 554 5.5.1 No valid recipients
         < 521 5.5.1 DATA was refused, and what follows is no command
         * close",
    ),
];

#[test]
fn dialogues_however_cut() {
    check_all(DIALOGUES);
}
