//! RFC 7677 §3, and what a hostile client or somebody in between may try.

use super::keys::{ITERATIONS_RANDOM, sha256, sign};
use super::*;
use std::num::NonZeroU32;

const NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const CHALLENGE: &str =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SIGNATURE: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

fn pencil() -> Keys {
    let salt = BASE64.decode(b"W22ZaJ0SNY7soEsUEjb6gQ==");
    let salt = salt.expect("the RFC's base64").try_into();
    Keys::derive(b"pencil", salt.expect("16 octets"), ITERATIONS_RANDOM)
}

fn pending(header: &str, mechanism: Mechanism, binding: &Binding) -> Pending {
    let message = format!("{header}n=user,r=rOprNGfwEbeRWgbNEkqO");
    let first = first(
        mechanism,
        message.as_bytes(),
        binding,
        binding.is_possible(),
    );
    challenge(first.expect("a first message"), NONCE, pencil()).1
}

/// What a client that knows the password `pencil` sends, written by RFC 5802 §3 and not by the code above.
fn client_final(header: &[u8], bare: &str, server_first: &str) -> String {
    let mut fields = server_first.split(',');
    let nonce = fields.next().expect("a nonce").strip_prefix("r=");
    let nonce = nonce.expect("r=");
    let keys = pencil();
    let mut salted = [0; 32];
    let rounds = NonZeroU32::new(keys.iterations).expect("not zero");
    aws_lc_rs::pbkdf2::derive(
        aws_lc_rs::pbkdf2::PBKDF2_HMAC_SHA256,
        rounds,
        &keys.salt,
        b"pencil",
        &mut salted,
    );
    let client_key = sign(&salted, b"Client Key");
    let unproved = format!("c={},r={nonce}", BASE64.encode(header));
    let message = format!("{bare},{server_first},{unproved}");
    let signature = sign(&sha256(&client_key), message.as_bytes());
    let proof: Vec<u8> = client_key
        .iter()
        .zip(signature)
        .map(|(a, b)| a ^ b)
        .collect();
    format!("{unproved},p={}", BASE64.encode(&proof))
}

#[test]
fn rfc_7677_example() {
    let none = Binding::default();
    let first = first(Mechanism::ScramSha256, FIRST.as_bytes(), &none, false);
    let first = first.expect("the RFC's message");
    assert_eq!(first.identity, "user");
    let (server_first, pending) = challenge(first, NONCE, pencil());
    assert_eq!(server_first, CHALLENGE.as_bytes());
    assert_eq!(pending.finish(FINAL.as_bytes()), Ok(SIGNATURE.into()));
}

#[test]
fn final_messages() {
    let with = |from: &str, to: &str| FINAL.replace(from, to);
    let cases: &[(String, Refusal)] = &[
        (String::new(), Refusal::Malformed),
        (with(",p=", ",q="), Refusal::Malformed),
        (with("p=dHzb", "p=dHzc"), Refusal::Credentials),
        (with("AndVQ=", "AndVR="), Refusal::Malformed),
        (with("7AndVQ=", "7A=="), Refusal::Malformed),
        (with("c=biws", "c=eSws"), Refusal::Binding),
        (with("c=biws", "c="), Refusal::Binding),
        (with("c=biws,", ""), Refusal::Malformed),
        (with("r=rO", "r=rP"), Refusal::Malformed),
        (with("$k0", "$k"), Refusal::Malformed),
        (with("$k0", "$k0,x"), Refusal::Malformed),
        (with("$k0", "$k0,1=x"), Refusal::Malformed),
        // An extension is passed over, but it was not signed.
        (with("$k0", "$k0,x=y"), Refusal::Credentials),
        // What SCRAM has already is no extension, and a mandatory one is none that we know. RFC 5802 §5.1.
        (with("$k0", "$k0,m=y"), Refusal::Malformed),
        (with("$k0", "$k0,r=y"), Refusal::Malformed),
        (with("$k0", "$k0,p=y"), Refusal::Malformed),
        (with("p=", "p=p="), Refusal::Malformed),
    ];
    for (text, expected) in cases {
        let pending = pending("n,,", Mechanism::ScramSha256, &Binding::default());
        assert_eq!(pending.finish(text.as_bytes()), Err(*expected), "{text}");
    }
    let pending = pending("n,,", Mechanism::ScramSha256, &Binding::default());
    assert_eq!(pending.finish(b"c=\xff"), Err(Refusal::Malformed));
}

#[test]
fn first_messages() {
    let fit = |text: &str| {
        let first = first(
            Mechanism::ScramSha256,
            text.as_bytes(),
            &Binding::default(),
            false,
        );
        first.map(|first| first.identity)
    };
    let cases: &[(&str, Result<&str, Refusal>)] = &[
        ("n,,n=user,r=a", Ok("user")),
        ("y,,n=user,r=a", Ok("user")),
        ("n,,n=a=2Cb=3D=3Dc,r=a", Ok("a,b==c")),
        ("n,a=user,n=user,r=a", Ok("user")),
        ("n,a=USER,n=user,r=a", Ok("user")),
        ("n,,n=user,r=a,x=extension", Ok("user")),
        ("n,,n=u\u{ad}ser,r=a", Ok("user")),
        ("n,a=root,n=user,r=a", Err(Refusal::Proxy)),
        ("n,a=,n=user,r=a", Err(Refusal::Malformed)),
        ("n,b=user,n=user,r=a", Err(Refusal::Malformed)),
        ("n,,m=must,n=user,r=a", Err(Refusal::Malformed)),
        ("n,,n=user,r=a,m=must", Err(Refusal::Malformed)),
        ("n,,n=user,r=a,x=y,m=must", Err(Refusal::Malformed)),
        ("n,,n=user,r=a,n=root", Err(Refusal::Malformed)),
        ("n,,n=user,r=a,r=b", Err(Refusal::Malformed)),
        ("n,,n=,r=a", Err(Refusal::Malformed)),
        ("n,,n=us=2cer,r=a", Err(Refusal::Malformed)),
        ("n,,n=us=er,r=a", Err(Refusal::Malformed)),
        ("n,,n=user=,r=a", Err(Refusal::Malformed)),
        ("n,,n=us\0er,r=a", Err(Refusal::Malformed)),
        ("n,,n=user", Err(Refusal::Malformed)),
        ("n,,n=user,r=", Err(Refusal::Malformed)),
        ("n,,n=user,r=a b", Err(Refusal::Malformed)),
        ("n,,n=user,r=\u{e9}", Err(Refusal::Malformed)),
        ("n,,n=user,r=a,x", Err(Refusal::Malformed)),
        ("n,,n=user,r=a,", Err(Refusal::Malformed)),
        ("n,,r=a,n=user", Err(Refusal::Malformed)),
        ("n,", Err(Refusal::Malformed)),
        ("", Err(Refusal::Malformed)),
        ("N,,n=user,r=a", Err(Refusal::Malformed)),
        (",,n=user,r=a", Err(Refusal::Malformed)),
        ("p=tls-exporter,,n=user,r=a", Err(Refusal::Binding)),
    ];
    for (text, expected) in cases {
        assert_eq!(fit(text), expected.map(str::to_owned), "{text:?}");
    }
    let nonce = |octets: usize| fit(&format!("n,,n=user,r={}", "x".repeat(octets)));
    assert!(nonce(NONCE_OCTETS_MAX).is_ok());
    assert_eq!(nonce(NONCE_OCTETS_MAX + 1), Err(Refusal::Malformed));
    let name = |octets: usize| fit(&format!("n,,n={},r=a", "x".repeat(octets)));
    assert!(name(prep::NAME_OCTETS_MAX).is_ok());
    assert_eq!(name(prep::NAME_OCTETS_MAX + 1), Err(Refusal::Malformed));
}

/// RFC 5802 §6: which flag may come with which mechanism, by what is offered.
#[test]
fn channels() {
    let none = Binding::default();
    let exporter = Binding {
        exporter: Some([7; 32]),
        end_point: None,
    };
    let both = Binding {
        end_point: Some(Box::from([9; 48])),
        ..exporter
    };
    let (plain, plus) = (Mechanism::ScramSha256, Mechanism::ScramSha256Plus);
    let cases: &[(Mechanism, &Binding, &str, bool)] = &[
        (plain, &none, "n", true),
        (plain, &none, "y", true),
        (plain, &both, "n", true),
        (plain, &both, "y", false),
        (plain, &both, "p=tls-exporter", false),
        (plus, &both, "p=tls-exporter", true),
        (plus, &both, "p=tls-server-end-point", true),
        (plus, &exporter, "p=tls-exporter", true),
        (plus, &exporter, "p=tls-server-end-point", false),
        (plus, &both, "p=tls-unique", false),
        (plus, &both, "p=", false),
        (plus, &both, "n", false),
        (plus, &both, "y", false),
        (plus, &none, "p=tls-exporter", false),
    ];
    for (mechanism, binding, flag, good) in cases {
        let text = format!("{flag},,n=user,r=a");
        let got = first(*mechanism, text.as_bytes(), binding, binding.is_possible());
        let got = got.map(|_| ());
        let expected = if *good { Ok(()) } else { Err(Refusal::Binding) };
        assert_eq!(got, expected, "{mechanism:?} {flag} {binding:?}");
    }
}

#[test]
fn what_is_bound_must_be_this_channel() {
    let ours = Binding {
        exporter: Some([7; 32]),
        end_point: Some(Box::from([9; 48])),
    };
    let cases: &[(&str, &[u8], bool)] = &[
        ("tls-exporter", &[7; 32], true),
        ("tls-exporter", &[8; 32], false),
        ("tls-exporter", &[], false),
        ("tls-exporter", &[9; 48], false),
        ("tls-server-end-point", &[9; 48], true),
        ("tls-server-end-point", &[7; 32], false),
    ];
    for (kind, theirs, good) in cases {
        let header = format!("p={kind},,");
        let bare = "n=user,r=rOprNGfwEbeRWgbNEkqO";
        let pending = pending(&header, Mechanism::ScramSha256Plus, &ours);
        let bound = [header.as_bytes(), theirs].concat();
        let got = pending.finish(client_final(&bound, bare, CHALLENGE).as_bytes());
        match good {
            true => assert!(got.is_ok_and(|last| last.starts_with(b"v=")), "{kind}"),
            false => assert_eq!(got, Err(Refusal::Binding), "{kind} {theirs:?}"),
        }
    }
}

#[test]
fn nobody_is_the_same_to_everyone_and_fits_nothing() {
    let (a, b) = (b"one server".as_slice(), b"another");
    let keys = Keys::nobody(a, "user@example.org", 4_096);
    assert_eq!(keys, Keys::nobody(a, "user@example.org", 4_096));
    assert_ne!(keys.salt, Keys::nobody(a, "user2@example.org", 4_096).salt);
    assert_ne!(keys.salt, Keys::nobody(b, "user@example.org", 4_096).salt);
    assert_eq!(keys.iterations, 4_096);
    assert!(!keys.fits(&[0; 32], b"message"));
    assert_eq!(format!("{keys:?}"), "Keys(4096 rounds)");
}
