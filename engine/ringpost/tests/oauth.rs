//! Logins by token: a real server asks a real HTTPS server on loopback, which a root of this test has signed for.

mod house;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use bytes::Bytes;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use house::{House, Server, expect, imap};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio_rustls::TlsAcceptor;

const ALICE: &str = "alice@example.test";
const ISSUER: &str = "https://id.example.test";

/// What an HTTPS server answers to path, authorization and body: status and JSON.
type Answer = fn(&Known, &str, &str, &str) -> (u16, Value);

/// What the HTTPS server knows, and how often it was asked.
struct Known {
    answer: Answer,
    keys: Value,
    asked: AtomicUsize,
}

/// An HTTPS server that lives as long as the test, and its certificate in PEM.
struct Identity {
    port: u16,
    root: String,
    known: Arc<Known>,
}

impl Identity {
    fn start(answer: Answer, keys: Value) -> Identity {
        let names = vec!["127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let chain = vec![CertificateDer::from(made.cert.der().to_vec())];
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("they fit");
        let known = Arc::new(Known {
            answer,
            keys,
            asked: AtomicUsize::new(0),
        });
        let (sender, port) = mpsc::channel();
        let serves = known.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(serve(TlsAcceptor::from(Arc::new(config)), serves, sender));
        });
        Identity {
            port: port.recv().expect("it listens"),
            root: made.cert.pem(),
            known,
        }
    }

    fn asked(&self) -> usize {
        self.known.asked.load(SeqCst)
    }
}

async fn serve(tls: TlsAcceptor, known: Arc<Known>, port: mpsc::Sender<u16>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let address = listener.local_addr().expect("an address");
    port.send(address.port()).expect("the test waits");
    loop {
        let (stream, _) = listener.accept().await.expect("a client");
        let Ok(stream) = tls.accept(stream).await else {
            continue;
        };
        let service = service_fn(|request| answer(known.clone(), request));
        let _ = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }
}

async fn answer(
    known: Arc<Known>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    known.asked.fetch_add(1, SeqCst);
    let (head, body) = request.into_parts();
    let authorization = head.headers.get("authorization");
    let authorization = authorization.and_then(|value| value.to_str().ok());
    let body = body.collect().await.expect("a body").to_bytes();
    let body = String::from_utf8_lossy(&body);
    let path = head.uri.path();
    let (status, told) = (known.answer)(&known, path, authorization.unwrap_or(""), &body);
    let mut response = Response::new(Full::from(told.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    Ok(response)
}

/// A house with Alice and `[auth.oauth]`, and a server of it.
fn serving(identity: &Identity, oauth: &str) -> (House, Server) {
    serving_by(identity.port, &identity.root, "", oauth)
}

/// The same where nobody or somebody else may listen, with more `[limits]`.
fn serving_by(port: u16, root: &str, limits: &str, oauth: &str) -> (House, Server) {
    let house = House::new();
    std::fs::write(house.path("root.pem"), root).expect("writes");
    std::fs::write(house.path("secret"), "s3cret/ &\n").expect("writes");
    let oauth = oauth.replace("{host}", &format!("https://127.0.0.1:{port}"));
    house.append(&format!(
        "login_failure_ms = 1\n{limits}[auth.oauth]\nca = \"root.pem\"\n{oauth}"
    ));
    let added = house.run(
        &["account", "add", ALICE, "--password-stdin"],
        "twelve dwarfs\n",
    );
    expect(&added, 0, "added", "");
    let server = Server::start(&["serve", "--config", &house.config]);
    (house, server)
}

/// The last answer to a login with `token`, and the challenge before it, if there was one.
fn log_in(server: &Server, mechanism: &str, message: &str) -> (Option<String>, String) {
    let command = format!(
        "a AUTHENTICATE {mechanism} {}\r\n",
        BASE64.encode(message.as_bytes())
    );
    // What answers the challenge of a failure: ^A. RFC 7628 §3.2.3.
    let talk = |lines: &[&str]| {
        house::converse(server.address("imap"), lines, |line| {
            line.starts_with("a ") || line.starts_with("* OK [CAPABILITY") || line.starts_with('+')
        })
    };
    let mut lines = talk(&[&command]);
    if lines.last().is_some_and(|line| line.starts_with("+ ")) {
        lines = talk(&[&command, "AQ==\r\n"]);
    }
    let told = lines.iter().find_map(|line| line.strip_prefix("+ "));
    let told = told.map(|text| BASE64.decode(text.trim_end().as_bytes()).expect("base64"));
    let told = told.map(|octets| String::from_utf8(octets).expect("JSON"));
    (told, lines.pop().unwrap_or_default())
}

fn bearer(name: &str, token: &str) -> String {
    format!("n,{name},\x01auth=Bearer {token}\x01\x01")
}

fn seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

#[test]
fn introspection() {
    let identity = Identity::start(
        |_, path, authorization, body| {
            let expected = format!("Basic {}", BASE64.encode(b"ring%20post:s3cret%2F%20%26"));
            match (path, body) {
                _ if authorization != expected => (401, json!({"error": "invalid_client"})),
                ("/introspect", "token=good.tok%2Fen&token_type_hint=access_token") => {
                    let until = seconds() + 3_600;
                    let claims =
                        json!({"active": true, "email": ALICE, "exp": until, "scope": "a mail"});
                    (200, claims)
                }
                ("/introspect", "token=elsewhere&token_type_hint=access_token") => (
                    200,
                    json!({"active": true, "email": ALICE, "scope": "calendar"}),
                ),
                ("/introspect", "token=stranger&token_type_hint=access_token") => (
                    200,
                    json!({"active": true, "email": "nobody@example.test", "scope": "mail"}),
                ),
                ("/introspect", "token=trouble&token_type_hint=access_token") => (500, json!({})),
                _ => (200, json!({"active": false})),
            }
        },
        Value::Null,
    );
    let (_house, server) = serving(
        &identity,
        "introspection = \"{host}/introspect\"\nclient_id = \"ring post\"\n\
         client_secret_file = \"secret\"\nscope = \"mail\"\n",
    );
    let greeting = imap(server.address("imap"), &["a LOGOUT\r\n"]).remove(0);
    assert!(
        greeting.contains(" AUTH=OAUTHBEARER AUTH=XOAUTH2 "),
        "{greeting}"
    );

    let named = format!("a={ALICE}");
    let google = format!("user={ALICE}\x01auth=Bearer good.tok/en\x01\x01");
    let good = [
        ("OAUTHBEARER", bearer(&named, "good.tok/en")),
        ("OAUTHBEARER", bearer("", "good.tok/en")),
        ("XOAUTH2", google),
    ];
    for (mechanism, message) in &good {
        let (told, end) = log_in(&server, mechanism, message);
        assert_eq!(told, None);
        assert!(end.starts_with("a OK"), "{mechanism}: {end}");
    }
    // Two shards: each asks once, and remembers the answer.
    assert!((1..=2).contains(&identity.asked()), "{}", identity.asked());

    let bad = [
        ("OAUTHBEARER", bearer(&named, "bad")),
        ("OAUTHBEARER", bearer(&named, "elsewhere")),
        ("OAUTHBEARER", bearer("", "stranger")),
        ("OAUTHBEARER", bearer("a=bob@example.test", "good.tok/en")),
        (
            "XOAUTH2",
            format!("user={ALICE}\x01auth=Bearer bad\x01\x01"),
        ),
    ];
    for (mechanism, message) in &bad {
        let (told, end) = log_in(&server, mechanism, message);
        let told = told.expect("why, in JSON");
        assert!(told.starts_with("{\"status\":"), "{told}");
        let refused = end.starts_with("a NO [AUTHENTICATIONFAILED]");
        assert!(refused, "{mechanism} {message}: {end}");
        server.until("imap: login refused");
    }
    // A client that never comes to the end of its failure has failed all the same.
    let message = BASE64.encode(bearer(&named, "given-up").as_bytes());
    let command = format!("a AUTHENTICATE OAUTHBEARER {message}\r\n");
    let lines = house::converse(server.address("imap"), &[&command, "*\r\n"], |line| {
        line.starts_with("a ") || line.starts_with("* OK [CAPABILITY") || line.starts_with('+')
    });
    assert!(
        lines.iter().any(|line| line.starts_with("a BAD")),
        "{lines:?}"
    );
    server.until("imap: login refused");
    let (_, end) = log_in(&server, "OAUTHBEARER", &bearer("", "trouble"));
    assert!(end.starts_with("a NO [UNAVAILABLE]"), "{end}");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn signed_tokens() {
    let random = SystemRandom::new();
    let pair = |_| {
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
        let made = made.expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref());
        let point = pair.expect("a key").public_key().as_ref().to_vec();
        (EncodingKey::from_ec_der(made.as_ref()), point)
    };
    let [(ours, point), (theirs, _)] = [0, 1].map(pair);
    let (x, y) = (&point[1..33], &point[33..]);
    let keys = json!({"keys": [
        {"kty": "something new"},
        {"kty": "oct", "kid": "shared", "k": BASE64URL_NOPAD.encode(b"known to all")},
        {"kty": "EC", "crv": "P-256", "kid": "one", "use": "sig",
         "x": BASE64URL_NOPAD.encode(x), "y": BASE64URL_NOPAD.encode(y)},
    ]});
    let identity = Identity::start(|known, _, _, _| (200, known.keys.clone()), keys);
    let (_house, server) = serving(
        &identity,
        &format!("jwks = \"{{host}}/jwks.json\"\nissuer = \"{ISSUER}\"\naudience = \"ringpost\"\n"),
    );

    let claims = json!({"iss": ISSUER, "aud": "ringpost", "email": ALICE, "exp": seconds() + 600});
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        claims
    };
    let header = |algorithm, id: Option<&str>| {
        let mut header = Header::new(algorithm);
        header.kid = id.map(str::to_owned);
        header
    };
    let signed = |claims: &Value, id: Option<&str>, key: &EncodingKey| {
        encode(&header(Algorithm::ES256, id), claims, key).expect("signs")
    };
    let shared = |secret: &[u8], id: &str| {
        let key = EncodingKey::from_secret(secret);
        encode(&header(Algorithm::HS256, Some(id)), &claims, &key).expect("signs")
    };
    let one = Some("one");
    let marked = |mark: fn(&mut Header)| {
        let mut header = header(Algorithm::ES256, one);
        mark(&mut header);
        encode(&header, &claims, &ours).expect("signs")
    };
    let unsigned = {
        let part = |value: Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        format!("{}.{}.", part(json!({"alg": "none"})), part(claims.clone()))
    };
    let cases = [
        ("good", signed(&claims, one, &ours), true),
        ("of any key", signed(&claims, None, &ours), true),
        (
            "one of two audiences",
            signed(&with("aud", json!(["x", "ringpost"])), one, &ours),
            true,
        ),
        (
            "over",
            signed(&with("exp", json!(seconds() - 600)), one, &ours),
            false,
        ),
        (
            "without end",
            signed(&with("exp", Value::Null), one, &ours),
            false,
        ),
        (
            "not yet",
            signed(&with("nbf", json!(seconds() + 600)), one, &ours),
            false,
        ),
        (
            "for others",
            signed(&with("aud", json!("x")), one, &ours),
            false,
        ),
        (
            "for nobody",
            signed(&with("aud", Value::Null), one, &ours),
            false,
        ),
        (
            "of others",
            signed(&with("iss", json!("x")), one, &ours),
            false,
        ),
        (
            "of no name",
            signed(&with("email", Value::Null), one, &ours),
            false,
        ),
        (
            "of an address that nobody has verified",
            signed(&with("email_verified", json!(false)), one, &ours),
            false,
        ),
        (
            "of a verified address",
            signed(&with("email_verified", json!(true)), one, &ours),
            true,
        ),
        (
            "an access token by RFC 9068",
            marked(|header| header.typ = Some("at+JWT".into())),
            true,
        ),
        ("without a type", marked(|header| header.typ = None), true),
        (
            "another kind of token",
            marked(|header| header.typ = Some("logout+jwt".into())),
            false,
        ),
        (
            "with an extension that must be known",
            marked(|header| header.crit = Some(vec!["b64".into()])),
            false,
        ),
        ("by another key", signed(&claims, one, &theirs), false),
        (
            "by an unknown key",
            signed(&claims, Some("two"), &ours),
            false,
        ),
        // RFC 8725 §2.1: a public key taken for a shared secret, a shared secret, nothing at all.
        ("by the public key", shared(&point, "one"), false),
        ("by a shared key", shared(b"known to all", "shared"), false),
        ("by nobody", unsigned, false),
    ];
    for (what, token, good) in &cases {
        let (_, end) = log_in(&server, "OAUTHBEARER", &bearer("", token));
        let expected = match good {
            true => "a OK",
            false => "a NO [AUTHENTICATIONFAILED]",
        };
        assert!(end.starts_with(expected), "{what}: {end}");
    }
    assert_eq!(
        identity.asked(),
        1,
        "an unknown key is no reason to ask at once"
    );
    assert_eq!(server.stop(), Some(0));
}

/// Whoever holds the keys takes connections and says nothing: logins are refused for now, each in its time, and not every
/// one of them knocks again.
#[test]
fn keys_that_never_come() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]);
    let root = made.expect("a certificate").cert.pem();
    let (_house, server) = serving_by(
        port,
        &root,
        "login_token_ms = 100\n",
        &format!("jwks = \"{{host}}/jwks.json\"\nissuer = \"{ISSUER}\"\naudience = \"ringpost\"\n"),
    );
    let key = EncodingKey::from_secret(b"whatever");
    let claims = json!({"iss": ISSUER, "aud": "ringpost", "email": ALICE, "exp": seconds() + 600});
    let token = encode(&Header::new(Algorithm::HS256), &claims, &key).expect("signs");
    for _ in 0..3 {
        let (_, end) = log_in(&server, "OAUTHBEARER", &bearer("", &token));
        assert!(end.starts_with("a NO [UNAVAILABLE]"), "{end}");
    }
    silent.set_nonblocking(true).expect("a socket");
    let knocks = std::iter::from_fn(|| silent.accept().ok()).count();
    assert_eq!(knocks, 1);
    assert_eq!(server.stop(), Some(0));
}
