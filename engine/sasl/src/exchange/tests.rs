use super::*;
use crate::scram::keys::ITERATIONS_RANDOM;

fn begin(mechanism: Mechanism, initial: Option<&[u8]>) -> (Exchange, Step) {
    let setting = Setting {
        nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".into(),
        ..Setting::default()
    };
    Exchange::begin(mechanism, setting, initial)
}

fn challenge(octets: &[u8]) -> Step {
    Step::Challenge(octets.to_vec())
}

fn tim() -> Step {
    Step::Ask(Question::Password {
        identity: "tim".into(),
        password: "secret".into(),
    })
}

/// With an initial response and without: the same, one round trip later.
#[test]
fn initial_responses() {
    let cases: &[(Mechanism, &[u8], Step)] = &[
        (Mechanism::Plain, b"\0tim\0secret", tim()),
        (
            Mechanism::External,
            b"",
            Step::Ask(Question::Certificate { identity: None }),
        ),
        (
            Mechanism::OAuthBearer,
            b"n,,\x01auth=Bearer t\x01\x01",
            Step::Ask(Question::Bearer {
                identity: None,
                token: "t".into(),
            }),
        ),
        (Mechanism::Login, b"tim", challenge(b"Password:")),
        (
            Mechanism::ScramSha256,
            b"n,,n=tim,r=a",
            Step::Ask(Question::Keys {
                identity: "tim".into(),
            }),
        ),
    ];
    for (mechanism, response, expected) in cases {
        assert_eq!(
            &begin(*mechanism, Some(response)).1,
            expected,
            "{mechanism:?}"
        );
        let (mut exchange, first) = begin(*mechanism, None);
        let empty = match mechanism {
            Mechanism::Login => b"Username:".as_slice(),
            _ => b"",
        };
        assert_eq!(first, challenge(empty), "{mechanism:?}");
        assert_eq!(&exchange.respond(response), expected, "{mechanism:?}");
    }
}

#[test]
fn plain_and_login_to_their_ends() {
    for (good, end) in [
        (true, Step::Accepted),
        (false, Step::Refused(Refusal::Credentials)),
    ] {
        let (mut exchange, asked) = begin(Mechanism::Plain, Some(b"\0tim\0secret"));
        assert_eq!(asked, tim());
        assert_eq!(exchange.answer(good), end);
        let (mut exchange, _) = begin(Mechanism::Login, None);
        assert_eq!(exchange.respond(b"tim"), challenge(b"Password:"));
        assert_eq!(exchange.respond(b"secret"), tim());
        assert_eq!(exchange.answer(good), end);
    }
}

#[test]
fn tokens_to_their_ends() {
    let oauth = b"n,,\x01auth=Bearer t\x01\x01".as_slice();
    let google = b"user=tim\x01auth=Bearer t\x01\x01".as_slice();
    for (mechanism, message) in [
        (Mechanism::OAuthBearer, oauth),
        (Mechanism::XOAuth2, google),
    ] {
        let (mut exchange, _) = begin(mechanism, Some(message));
        assert_eq!(exchange.answer(true), Step::Accepted);
        let (mut exchange, _) = begin(mechanism, Some(message));
        let Step::Challenge(told) = exchange.answer(false) else {
            panic!("{mechanism:?} tells why");
        };
        assert!(
            told.starts_with(br#"{"status":""#),
            "{}",
            told.escape_ascii()
        );
        // RFC 7628 §3.2.3 wants ^A; XOAUTH2's clients send nothing. Neither changes the end.
        for last in [b"\x01".as_slice(), b"", message] {
            let (mut exchange, _) = begin(mechanism, Some(message));
            exchange.answer(false);
            assert_eq!(exchange.respond(last), Step::Refused(Refusal::Credentials));
        }
    }
}

#[test]
fn scram_to_its_end() {
    let first = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    let last = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    let salt = *b"\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81";
    let keys = |password: &[u8]| Keys::derive(password, salt, ITERATIONS_RANDOM);
    let signature = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    let (mut exchange, _) = begin(Mechanism::ScramSha256, Some(first));
    assert!(matches!(exchange.keys(keys(b"pencil")), Step::Challenge(_)));
    assert_eq!(exchange.respond(last), challenge(signature));
    assert_eq!(exchange.respond(b""), Step::Accepted);
    assert_eq!(exchange.respond(b""), Step::Refused(Refusal::Malformed));

    let (mut exchange, _) = begin(Mechanism::ScramSha256, Some(first));
    exchange.keys(keys(b"pencil"));
    exchange.respond(last);
    assert_eq!(exchange.respond(b"x"), Step::Refused(Refusal::Malformed));

    for wrong in [keys(b"pen"), Keys::nobody(b"x", "user", ITERATIONS_RANDOM)] {
        let (mut exchange, _) = begin(Mechanism::ScramSha256, Some(first));
        exchange.keys(wrong);
        assert_eq!(exchange.respond(last), Step::Refused(Refusal::Credentials));
        assert_eq!(exchange.respond(b""), Step::Refused(Refusal::Malformed));
    }
}

/// What comes when it must not, ends it: above all, nothing but a good answer or proof is a success.
#[test]
fn out_of_turn() {
    for mechanism in Mechanism::ALL {
        let (mut exchange, _) = begin(mechanism, None);
        assert_eq!(exchange.answer(true), Step::Refused(Refusal::Credentials));
        let (mut exchange, _) = begin(mechanism, None);
        let keys = Keys::nobody(b"x", "user", ITERATIONS_RANDOM);
        assert_eq!(exchange.keys(keys), Step::Refused(Refusal::Credentials));
        assert_eq!(exchange.respond(b""), Step::Refused(Refusal::Malformed));
    }
    let (mut exchange, _) = begin(Mechanism::ScramSha256, Some(b"n,,n=user,r=a"));
    assert_eq!(exchange.answer(true), Step::Refused(Refusal::Credentials));
    let (mut exchange, _) = begin(Mechanism::Plain, Some(b"\0tim\0secret"));
    assert_eq!(exchange.respond(b""), Step::Refused(Refusal::Malformed));
    assert_eq!(exchange.answer(true), Step::Refused(Refusal::Credentials));
}

#[test]
fn bounds() {
    for mechanism in Mechanism::ALL {
        let (mut exchange, _) = begin(mechanism, None);
        let at = exchange.respond(&vec![b'a'; RESPONSE_OCTETS_MAX]);
        assert_ne!(at, Step::Refused(Refusal::TooLong), "{mechanism:?}");
        let above = vec![b'a'; RESPONSE_OCTETS_MAX + 1];
        let (_, step) = begin(mechanism, Some(&above));
        assert_eq!(step, Step::Refused(Refusal::TooLong), "{mechanism:?}");
    }
    let token = |octets: usize| {
        let message = format!("n,,\x01auth=Bearer {}\x01\x01", "a".repeat(octets));
        begin(Mechanism::OAuthBearer, Some(message.as_bytes())).1
    };
    let around = "n,,\x01auth=Bearer \x01\x01".len();
    assert!(matches!(token(RESPONSE_OCTETS_MAX - around), Step::Ask(_)));
    assert_eq!(
        token(RESPONSE_OCTETS_MAX - around + 1),
        Step::Refused(Refusal::TooLong)
    );
    let (mut exchange, _) = begin(Mechanism::Login, Some(b"tim"));
    let long = vec![b'a'; PASSWORD_OCTETS_MAX + 1];
    assert_eq!(exchange.respond(&long), Step::Refused(Refusal::Malformed));
}
