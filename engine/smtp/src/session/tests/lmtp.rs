//! LMTP: an answer for each recipient. RFC 2033.

use super::played::*;

const DIALOGUES: &[Dialogue] = &[
    (
        "RFC 2033 §4.2: LMTP answers for each recipient",
        LMTP,
        "> EHLO a
         < 500 5.5.1 Not the greeting of this protocol
         > LHLO foo.edu
         < 250-mx.example.org
         < 250-PIPELINING
         < 250-SIZE 40
         < 250-8BITMIME
         < 250-BINARYMIME
         < 250-CHUNKING
         < 250-SMTPUTF8
         < 250-ENHANCEDSTATUSCODES
         < 250 LIMITS MAILMAX=3 RCPTMAX=3
         > MAIL FROM:<chris@bar.com>
         > RCPT TO:<alice@example.org>
         > RCPT TO:<green@example.org>
         > RCPT TO:<bob@example.org>
         > DATA
         * mail chris@bar.com
         < 250 2.1.0 Sender ok
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         * rcpt green@example.org
         < 550 5.1.1 No such user
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 354 End with CRLF . CRLF
         > Blah
         > .
         > QUIT
         * deliver Blah\\r\\n
         < 250 2.0.0 taken
         < 250 2.0.0 taken
         < 221 2.0.0 Bye
         * close",
    ),
    (
        "LMTP: a refused body is refused for each recipient, a refused chunk once",
        LMTP,
        "> LHLO foo.edu
         < 250-mx.example.org
         < 250-PIPELINING
         < 250-SIZE 40
         < 250-8BITMIME
         < 250-BINARYMIME
         < 250-CHUNKING
         < 250-SMTPUTF8
         < 250-ENHANCEDSTATUSCODES
         < 250 LIMITS MAILMAX=3 RCPTMAX=3
         > MAIL FROM:<a@b>
         > RCPT TO:<alice@example.org>
         > RCPT TO:<bob@example.org>
         >> BDAT 2 LAST\\r\\na\\n
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         * abandon
         * reset
         < 550 5.6.11 Bare CR or LF in the message, or a line of NULs and dots
         < 550 5.6.11 Bare CR or LF in the message, or a line of NULs and dots
         > MAIL FROM:<a@b>
         > RCPT TO:<alice@example.org>
         >> BDAT 41\\r\\n45678901234567890123456789012345678901234BDAT 2 LAST\\r\\n\\r\\n
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         * abandon
         * reset
         < 552 5.3.4 Message too large
         < 503 5.5.1 Say MAIL first",
    ),
    (
        "RFC 2033 §4.2: LMTP without a recipient has nobody to answer for",
        LMTP,
        "> LHLO foo.edu
         < 250-mx.example.org
         < 250-PIPELINING
         < 250-SIZE 40
         < 250-8BITMIME
         < 250-BINARYMIME
         < 250-CHUNKING
         < 250-SMTPUTF8
         < 250-ENHANCEDSTATUSCODES
         < 250 LIMITS MAILMAX=3 RCPTMAX=3
         > MAIL FROM:<a@b>
         > RCPT TO:<green@example.org>
         > DATA
         >> BDAT 2 LAST\\r\\na\\n
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt green@example.org
         < 550 5.1.1 No such user
         < 503 5.5.1 No valid recipients
         * reset
         < 503 5.5.1 No valid recipients",
    ),
    (
        "each recipient hears what became of its own, by DATA and by BDAT",
        LMTP,
        "> LHLO foo.edu
         = offer
         > MAIL FROM:<a@b>
         > RCPT TO:<alice@example.org>
         > RCPT TO:<carol@example.org>
         > RCPT TO:<green@example.org>
         > RCPT TO:<bob@example.org>
         > DATA
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         * rcpt carol@example.org
         < 250 2.1.5 Recipient ok
         * rcpt green@example.org
         < 550 5.1.1 No such user
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 354 End with CRLF . CRLF
         > a
         > .
         > MAIL FROM:<a@b>
         > RCPT TO:<carol@example.org>
         > RCPT TO:<carol@example.org>
         >> BDAT 3\\r\\na\\r\\nBDAT 0 LAST\\r\\n
         > NOOP
         * deliver a\\r\\n
         < 250 2.0.0 taken
         < 452 4.2.2 full
         < 250 2.0.0 taken
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt carol@example.org
         < 250 2.1.5 Recipient ok
         * rcpt carol@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 250 2.0.0 Chunk taken
         * deliver a\\r\\n
         < 452 4.2.2 full
         < 452 4.2.2 full
         < 250 2.0.0 Ok",
    ),
];

#[test]
fn dialogues_however_cut() {
    check_all(DIALOGUES);
}

/// A client that does not hear of a delivery repeats it: outcomes go out even where the errors have reached their limit.
#[test]
fn outcomes_are_told_beyond_the_limit_of_errors() {
    let limits = Limits {
        smtp_errors_max: 0,
        ..limits()
    };
    let gone = Reply::new(550, Enhanced(5, 2, 1), "gone");
    let taken = Reply::new(250, Enhanced(2, 0, 0), "taken");
    let begin = b"LHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<alice@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n";
    let cases = [
        (
            vec![gone.clone(), taken],
            vec!["< 550 5.2.1 gone", "< 250 2.0.0 taken", "< 250 2.0.0 Ok"],
        ),
        (
            vec![gone.clone(), gone],
            vec!["< 421 4.7.0 Too many errors", "* close"],
        ),
    ];
    for (outcomes, expected) in cases {
        let mut played = Played::with(LMTP, limits.clone());
        played.whole(begin);
        let (used, action) = played.session.step(b".\r\n");
        assert!(used == 3 && matches!(action, Action::Deliver));
        played.session.finish_each(outcomes);
        assert_eq!(played.whole(b"NOOP\r\n"), expected);
    }
}
