//! `[auth]`: how users log in. `[auth.oauth]`: whom to ask about tokens. `[[auth.certificate]]`: whose a certificate is,
//! where it does not say so itself.

use crate::config::build::Build;
use crate::config::key::{Key, key};
use crate::config::nearest::nearest;
use crate::config::read::{Place, Reader, Said, Value};
use ringpost_login::{Mechanism, Offer};
use ringpost_types::Address;
use std::path::PathBuf;

pub const KEYS: &[Key] = &[
    key("", "auth", "a table, begun with [auth]"),
    key(
        "auth",
        "mechanisms",
        "a list of what may be offered such as [\"SCRAM-SHA-256-PLUS\", \"SCRAM-SHA-256\", \"PLAIN\"]",
    ),
    key(
        "auth",
        "client_ca",
        "a PEM file of the authorities whose certificates log in such as \"tls/clients.pem\"",
    ),
    key(
        "auth",
        "certificate",
        "tables, each begun with [[auth.certificate]]",
    ),
    key("auth", "oauth", "a table, begun with [auth.oauth]"),
    key(
        "auth.certificate",
        "subject",
        "a certificate's subject such as \"CN=laptop,O=Example\"",
    ),
    key(
        "auth.certificate",
        "account",
        "an account such as \"alice@example.org\"",
    ),
    key(
        "auth.oauth",
        "introspection",
        "an https URL such as \"https://id.example.org/introspect\"",
    ),
    key(
        "auth.oauth",
        "client_id",
        "who we are at the introspection URL",
    ),
    key(
        "auth.oauth",
        "client_secret_file",
        "a file with our password there such as \"oauth.secret\"",
    ),
    key(
        "auth.oauth",
        "jwks",
        "an https URL such as \"https://id.example.org/jwks.json\"",
    ),
    key(
        "auth.oauth",
        "issuer",
        "what a token's iss must be such as \"https://id.example.org\"",
    ),
    key(
        "auth.oauth",
        "audience",
        "what must be in a token's aud such as \"ringpost\"",
    ),
    key(
        "auth.oauth",
        "scope",
        "a word that must be in a token's scope such as \"mail\"",
    ),
    key(
        "auth.oauth",
        "claim",
        "the claim that names the account; \"email\" where nothing is said",
    ),
    key(
        "auth.oauth",
        "ca",
        "a PEM file of the authorities to trust there; Mozilla's list where nothing is said",
    ),
];

/// What was said.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    mechanisms: Option<Vec<Said<String>>>,
    client_ca: Option<Said<String>>,
    certificates: Vec<CertificateDraft>,
    oauth: Option<OauthDraft>,
}

#[derive(Clone, Debug)]
struct CertificateDraft {
    place: Place,
    subject: Option<Said<String>>,
    account: Option<Said<String>>,
}

#[derive(Clone, Debug)]
struct OauthDraft {
    place: Place,
    introspection: Option<Said<String>>,
    client_id: Option<Said<String>>,
    client_secret_file: Option<Said<String>>,
    jwks: Option<Said<String>>,
    issuer: Option<Said<String>>,
    audience: Option<Said<String>>,
    scope: Option<Said<String>>,
    claim: Option<Said<String>>,
    ca: Option<Said<String>>,
}

/// `[auth]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Mechanisms that may be offered.
    pub mechanisms: Offer,
    /// Authorities whose certificates log in, PEM.
    pub client_ca: Option<PathBuf>,
    /// Subjects of certificates, each with the account it is for.
    pub certificates: Vec<(String, String)>,
    /// Whom to ask about tokens.
    pub oauth: Option<Oauth>,
}

/// `[auth.oauth]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oauth {
    /// Who knows whose a token is.
    pub source: Source,
    /// What `iss` must be.
    pub issuer: Option<String>,
    /// What must be in `aud`.
    pub audience: Option<String>,
    /// What must be in `scope`.
    pub scope: Option<String>,
    /// The claim that names the account.
    pub claim: String,
    /// Whom to trust, PEM.
    pub ca: Option<PathBuf>,
}

/// Who knows whose a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A server that is asked about each. RFC 7662.
    Introspection {
        url: String,
        client: Option<ClientId>,
    },
    /// The token itself, signed with keys that are published. RFC 7517.
    Jwks { url: String },
}

/// Who we are where we ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientId {
    pub id: String,
    /// Holds the password.
    pub secret_file: PathBuf,
}

/// Reads the table.
pub fn read(reader: &mut Reader, value: Value<'_, '_>, draft: &mut Draft) {
    reader.table("auth", value, |reader, name, value| match name {
        "mechanisms" => draft.mechanisms = Some(reader.strings("auth", name, value)),
        "client_ca" => draft.client_ca = reader.string("auth", name, value),
        "certificate" => draft.certificates = certificates(reader, value),
        _ => read_oauth(reader, value, &mut draft.oauth),
    });
}

fn certificates(reader: &mut Reader, value: Value<'_, '_>) -> Vec<CertificateDraft> {
    const AT: &str = "auth.certificate";
    reader.tables(AT, value, |reader, place, table| {
        let mut draft = CertificateDraft {
            place,
            subject: None,
            account: None,
        };
        for (name, value) in reader.known(AT, table) {
            match name {
                "subject" => draft.subject = reader.string(AT, name, value),
                _ => draft.account = reader.string(AT, name, value),
            }
        }
        draft
    })
}

fn read_oauth(reader: &mut Reader, value: Value<'_, '_>, draft: &mut Option<OauthDraft>) {
    const AT: &str = "auth.oauth";
    let place = reader.said((), value).place;
    let draft = draft.get_or_insert(OauthDraft {
        place,
        introspection: None,
        client_id: None,
        client_secret_file: None,
        jwks: None,
        issuer: None,
        audience: None,
        scope: None,
        claim: None,
        ca: None,
    });
    reader.table(AT, value, |reader, name, value| {
        let said = reader.string(AT, name, value);
        match name {
            "introspection" => draft.introspection = said,
            "client_id" => draft.client_id = said,
            "client_secret_file" => draft.client_secret_file = said,
            "jwks" => draft.jwks = said,
            "issuer" => draft.issuer = said,
            "audience" => draft.audience = said,
            "scope" => draft.scope = said,
            "claim" => draft.claim = said,
            _ => draft.ca = said,
        }
    });
}

/// How users log in.
pub fn build(build: &mut Build<'_>, draft: Draft) -> Auth {
    let certificates = draft.certificates.into_iter();
    let certificates = certificates.filter_map(|draft| certificate(build, draft));
    Auth {
        certificates: certificates.collect(),
        mechanisms: mechanisms(build, draft.mechanisms),
        client_ca: draft.client_ca.map(|said| file(build, &said)),
        oauth: draft.oauth.and_then(|draft| oauth(build, draft)),
    }
}

/// A file that the configuration names.
fn file(build: &mut Build<'_>, said: &Said<String>) -> PathBuf {
    let path = build.relative(&said.value);
    build.belongs(path.clone());
    path
}

fn mechanisms(build: &mut Build<'_>, said: Option<Vec<Said<String>>>) -> Offer {
    let Some(said) = said else { return Offer::ALL };
    let mut mechanisms = Vec::with_capacity(said.len());
    for said in said {
        match Mechanism::parse(&said.value) {
            Some(mechanism) => mechanisms.push(mechanism),
            None => {
                let words = Mechanism::ALL.map(|known| known.name().to_ascii_lowercase());
                let near = nearest(&said.value, words.iter().map(String::as_str));
                let near = near.and_then(Mechanism::parse).map(Mechanism::name);
                let what = format!("unknown mechanism {:?}", said.value);
                let hint = near.map_or_else(
                    || {
                        let all = Mechanism::ALL.map(Mechanism::name).join(", ");
                        format!("; expected one of {all}")
                    },
                    |near| format!("; did you mean {near:?}?"),
                );
                build.wrong(&said, what + &hint);
            }
        }
    }
    Offer::of(mechanisms)
}

fn certificate(build: &mut Build<'_>, draft: CertificateDraft) -> Option<(String, String)> {
    let (Some(subject), Some(account)) = (draft.subject, draft.account) else {
        let what = "[[auth.certificate]] needs subject and account";
        build.problem(&draft.place, what.to_owned());
        return None;
    };
    if Address::parse(&account.value).is_err() {
        build.expected("auth.certificate", "account", &account);
        return None;
    }
    Some((subject.value, account.value))
}

fn oauth(build: &mut Build<'_>, draft: OauthDraft) -> Option<Oauth> {
    for (name, said) in [
        ("introspection", &draft.introspection),
        ("jwks", &draft.jwks),
    ] {
        if let Some(said) = said
            && crate::oauth::http::Target::read(&said.value).is_err()
        {
            build.expected("auth.oauth", name, said);
        }
    }
    let value = |said: Option<Said<String>>| said.map(|said| said.value);
    let client = match (draft.client_id, draft.client_secret_file) {
        (Some(id), Some(secret)) => Some(ClientId {
            id: id.value,
            secret_file: file(build, &secret),
        }),
        (None, None) => None,
        (Some(said), None) | (None, Some(said)) => {
            let what = "client_id and client_secret_file belong together";
            build.wrong(&said, what.to_owned());
            None
        }
    };
    let source = match (draft.introspection, draft.jwks) {
        (Some(url), None) => Source::Introspection {
            url: url.value,
            client,
        },
        (None, Some(url)) => {
            if draft.issuer.is_none() || draft.audience.is_none() {
                build.wrong(&url, "jwks needs issuer and audience".to_owned());
            }
            Source::Jwks { url: url.value }
        }
        (None, None) | (Some(_), Some(_)) => {
            let what = "[auth.oauth] needs introspection or jwks, one of them";
            build.problem(&draft.place, what.to_owned());
            return None;
        }
    };
    Some(Oauth {
        source,
        issuer: value(draft.issuer),
        audience: value(draft.audience),
        scope: value(draft.scope),
        claim: value(draft.claim).unwrap_or_else(|| "email".to_owned()),
        ca: draft.ca.map(|said| file(build, &said)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Problems, load};
    use std::path::Path;

    fn config(auth: &str) -> Result<Config, Problems> {
        let head = "hostname = \"mx.example.org\"\ndata_dir = \"data\"\n[[domain]]\nname = \"example.org\"\n";
        load(
            Path::new("/etc/ringpost.toml"),
            &format!("{head}{auth}"),
            &[],
        )
    }

    fn auth(text: &str) -> Auth {
        config(text).expect("good").auth
    }

    #[test]
    fn what_is_said() {
        let usual = auth("");
        assert_eq!(usual.mechanisms, Offer::ALL);
        assert_eq!((usual.client_ca, usual.oauth), (None, None));
        let said = auth(
            "[auth]\nmechanisms = [\"plain\", \"SCRAM-SHA-256\"]\nclient_ca = \"ca.pem\"\n\
             [[auth.certificate]]\nsubject = \"CN=x\"\naccount = \"a@example.org\"\n\
             [auth.oauth]\njwks = \"https://id.example.org/keys\"\nissuer = \"i\"\naudience = \"r\"\n",
        );
        let two = Offer::of([Mechanism::Plain, Mechanism::ScramSha256]);
        assert_eq!(said.mechanisms, two);
        assert_eq!(said.client_ca, Some("/etc/ca.pem".into()));
        let expected = ("CN=x".to_owned(), "a@example.org".to_owned());
        assert_eq!(said.certificates, [expected]);
        let oauth = said.oauth.expect("said");
        assert_eq!(
            (&*oauth.claim, oauth.issuer.as_deref()),
            ("email", Some("i"))
        );
        let url = "https://id.example.org/keys".to_owned();
        assert_eq!(oauth.source, Source::Jwks { url });
    }

    #[test]
    fn what_is_wrong() {
        const URL: &str = "introspection = \"https://id.example.org/\"";
        let cases: &[(&str, &str)] = &[
            ("[auth]\nmechanisms = [\"PLAN\"]", "did you mean \"PLAIN\"?"),
            (
                "[auth]\nmechanisms = [\"GSSAPI\"]",
                "expected one of EXTERNAL, SCRAM",
            ),
            ("[auth]\nmechanism = []", "did you mean \"mechanisms\"?"),
            (
                "[auth]\noauth = 1",
                "expected a table, begun with [auth.oauth]",
            ),
            (
                "[[auth.certificate]]\nsubject = \"CN=x\"",
                "needs subject and account",
            ),
            (
                "[[auth.certificate]]\nsubject = \"CN=x\"\naccount = \"x\"",
                "expected an account such as",
            ),
            ("[auth.oauth]\nscope = \"x\"", "needs introspection or jwks"),
            (
                "[auth.oauth]\nintrospection = \"http://x/\"",
                "expected an https URL",
            ),
            (
                "[auth.oauth]\njwks = \"https://x/\"",
                "jwks needs issuer and audience",
            ),
            (
                &format!("[auth.oauth]\n{URL}\njwks = \"https://x/\""),
                "one of them",
            ),
            (
                &format!("[auth.oauth]\n{URL}\nclient_id = \"x\""),
                "belong together",
            ),
        ];
        for (text, expected) in cases {
            let problems = config(text).expect_err(text).to_string();
            assert!(problems.contains(expected), "{text}: {problems}");
        }
    }
}
