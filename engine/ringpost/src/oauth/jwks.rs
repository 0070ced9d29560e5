//! Signed tokens: JSON Web Tokens, checked with the keys that their issuer publishes. RFC 7519, RFC 7517, RFC 8725.
//!
//! Keys are fetched when they are first needed, again when they are [`AGE`] old, and again for a token whose key is not
//! known, but not more often than each [`PAUSE`]: a stranger's tokens must not make us ask. A fetch that fails, or takes more
//! than half of the time that a login has, leaves the old keys in use, for a day.
//!
//! Invariants: the algorithm is the key's, never the token's to choose; keys that two sides share (HMAC) are not taken at all.
//! RFC 8725 §3.1. A token without an end, an issuer or an audience is none, and so is one that asks for an extension, for
//! we know none (RFC 7515 §4.1.11), and one that says that it is something else (RFC 8725 §3.11).

use super::http::{Ask, Client, HttpError, Target};
use super::{has_scope, is_verified, unavailable};
use crate::config::section::auth::Oauth;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use ringpost_login::{Holder, TokenError};
use serde_json::Value;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Keys so old are fetched again before they are used: what was taken back is gone then.
const AGE: Duration = Duration::from_secs(3_600);
/// Keys so old are used no more, whatever keeps us from newer ones.
const AGE_MAX: Duration = Duration::from_secs(86_400);
/// What the header of a token may say that it is. RFC 7519 §5.1, RFC 9068 §2.1.
const KINDS: [&str; 4] = ["JWT", "at+jwt", "application/jwt", "application/at+jwt"];
/// Between two fetches.
const PAUSE: Duration = Duration::from_secs(30);
/// Seconds that the issuer's clock may be off.
const LEEWAY: u64 = 60;
/// Keys of one set that are looked at.
const KEYS_MAX: usize = 64;

/// Where the keys are, and what a token must say.
pub struct Jwks {
    client: Client,
    target: Target,
    issuer: String,
    audience: String,
    claim: String,
    scope: Option<String>,
    /// For one fetch.
    patience: Duration,
    keys: RefCell<Fetched>,
    /// One fetch at a time: whoever comes meanwhile waits for it.
    fetching: tokio::sync::Mutex<()>,
}

struct Fetched {
    keys: Rc<[Key]>,
    /// When they came.
    at: Option<Instant>,
    /// When they were last asked for.
    tried: Option<Instant>,
}

/// One key.
struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl Jwks {
    /// Fetches nothing yet. `patience` is what a login has.
    pub fn new(
        client: Client,
        url: &str,
        oauth: &Oauth,
        patience: Duration,
    ) -> Result<Jwks, HttpError> {
        let needed = |value: &Option<String>, name: &str| {
            let missing = || HttpError::Setup(format!("jwks needs {name}"));
            value.clone().ok_or_else(missing)
        };
        Ok(Jwks {
            client,
            target: Target::read(url)?,
            issuer: needed(&oauth.issuer, "issuer")?,
            audience: needed(&oauth.audience, "audience")?,
            claim: oauth.claim.clone(),
            scope: oauth.scope.clone(),
            patience: patience / 2,
            keys: RefCell::new(Fetched {
                keys: Rc::new([]),
                at: None,
                tried: None,
            }),
            fetching: tokio::sync::Mutex::default(),
        })
    }

    /// Whose `token` is.
    pub async fn holder(&self, token: &str) -> Result<Holder, TokenError> {
        let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
        let kind = header.typ.as_deref().unwrap_or(KINDS[0]);
        let is_known = KINDS.iter().any(|known| known.eq_ignore_ascii_case(kind));
        if header.crit.is_some() || !is_known {
            return Err(TokenError::Invalid);
        }
        let fits = |key: &Key| {
            let named = header.kid.is_none() || header.kid == key.id;
            named && key.algorithms.contains(&header.alg)
        };
        let mut keys = self.keys(AGE).await?;
        if !keys.iter().any(&fits) {
            keys = self.keys(PAUSE).await?;
        }
        let mut fitting = keys.iter().filter(|key| fits(key));
        fitting
            .find_map(|key| self.read(token, key, header.alg))
            .ok_or(TokenError::Invalid)
    }

    /// The claims of a token that `key` signed.
    fn read(&self, token: &str, key: &Key, algorithm: Algorithm) -> Option<Holder> {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        let claims = decode::<Value>(token, &key.key, &validation).ok()?.claims;
        let until = claims["exp"].as_f64()?;
        // Microsoft says `scp` where RFC 9068 §2.2.3 says `scope`.
        let scope = match &claims["scope"] {
            Value::Null => &claims["scp"],
            scope => scope,
        };
        let name = claims[&*self.claim].as_str()?;
        let good = has_scope(scope, self.scope.as_deref())
            && is_verified(&claims, &self.claim)
            && !name.is_empty();
        good.then(|| Holder {
            name: name.to_owned(),
            until_ms: ((until as u64).saturating_add(LEEWAY)).saturating_mul(1_000),
        })
    }

    /// The keys, at most `age` old, if they can be had. Old ones are better than none, up to [`AGE_MAX`].
    async fn keys(&self, age: Duration) -> Result<Rc<[Key]>, TokenError> {
        if let Some(keys) = self.fresh(age) {
            return Ok(keys);
        }
        let _fetching = self.fetching.lock().await;
        if let Some(keys) = self.fresh(age) {
            return Ok(keys);
        }
        let within = |moment: Option<Instant>| moment.is_some_and(|at| at.elapsed() < PAUSE);
        if !within(self.keys.borrow().tried) {
            // Noted first: a login that gives up while it waits must not let the next one ask at once.
            self.keys.borrow_mut().tried = Some(Instant::now());
            let asked = self.client.ask(&self.target, Ask::Get);
            let answer = tokio::time::timeout(self.patience, asked).await;
            let answer = answer.unwrap_or(Err(HttpError::Late));
            match answer {
                Ok(set) => {
                    let mut held = self.keys.borrow_mut();
                    held.keys = read_set(set).into();
                    held.at = Some(Instant::now());
                }
                Err(error) => _ = unavailable(&error),
            }
        }
        self.fresh(AGE_MAX).ok_or(TokenError::Unavailable)
    }

    fn fresh(&self, age: Duration) -> Option<Rc<[Key]>> {
        let held = self.keys.borrow();
        let is_fresh = held.at.is_some_and(|at| at.elapsed() < age);
        is_fresh.then(|| held.keys.clone())
    }
}

/// The keys of a set that we can use; what we do not know is passed over. RFC 7517 §5.
fn read_set(set: Value) -> Vec<Key> {
    let keys = match set {
        Value::Object(mut set) => set.remove("keys"),
        _ => None,
    };
    let Some(Value::Array(keys)) = keys else {
        return Vec::new();
    };
    let keys = keys.into_iter().take(KEYS_MAX);
    keys.filter_map(|key| read_key(serde_json::from_value(key).ok()?))
        .collect()
}

fn read_key(jwk: Jwk) -> Option<Key> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    if matches!(&jwk.common.public_key_use, Some(known) if *known != PublicKeyUse::Signature) {
        return None;
    }
    let mut algorithms = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => vec![RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => vec![ES256],
            EllipticCurve::P384 => vec![ES384],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            vec![EdDSA]
        }
        _ => return None,
    };
    if let Some(own) = jwk.common.key_algorithm {
        algorithms.retain(|algorithm| own == (*algorithm).into());
    }
    Some(Key {
        key: DecodingKey::from_jwk(&jwk).ok()?,
        id: jwk.common.key_id,
        algorithms,
    })
}
