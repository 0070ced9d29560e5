//! One HTTPS request on the control plane: connect, TLS, ask, read a bounded answer, close.
//!
//! A connection for each: logins by new tokens are few, and what is kept alive may be dead when it is needed.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// Octets of an answer at most: a set of keys has some thousands.
const ANSWER_OCTETS_MAX: usize = 256 * 1024;

/// Why there is no answer. Temporary, but for what the operator wrote.
#[derive(Debug)]
pub enum HttpError {
    /// What was configured cannot be used.
    Setup(String),
    /// The host is not reached, or not the one that it should be.
    Connect(String),
    /// It answers, but not as asked.
    Answer(String),
    /// It takes too long.
    Late,
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HttpError::Setup(what) | HttpError::Answer(what) => f.write_str(what),
            HttpError::Connect(what) => write!(f, "cannot connect: {what}"),
            HttpError::Late => f.write_str("no answer in time"),
        }
    }
}

impl std::error::Error for HttpError {}

/// Whom we trust as a server.
pub struct Client {
    tls: TlsConnector,
}

/// Where a request goes.
#[derive(Clone, Debug)]
pub struct Target {
    host: String,
    port: u16,
    path: String,
}

impl Target {
    /// Reads an `https` URL. RFC 3986 §3.
    pub fn read(url: &str) -> Result<Target, HttpError> {
        let wrong = || HttpError::Setup(format!("{url:?} is not an https URL"));
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let host = uri.host().filter(|host| !host.is_empty());
        match (uri.scheme_str(), host) {
            (Some("https"), Some(host)) => Ok(Target {
                host: host
                    .trim_start_matches('[')
                    .trim_end_matches(']')
                    .to_owned(),
                port: uri.port_u16().unwrap_or(443),
                path: uri
                    .path_and_query()
                    .map_or("/", |path| path.as_str())
                    .to_owned(),
            }),
            _ => Err(wrong()),
        }
    }

    fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match self.port {
            443 => host,
            port => format!("{host}:{port}"),
        }
    }
}

/// What is asked.
pub enum Ask<'a> {
    /// GET.
    Get,
    /// POST of a form, with an Authorization header.
    Form {
        form: String,
        authorization: Option<&'a HeaderValue>,
    },
}

impl Client {
    /// Trusts the authorities of a PEM file; without one, those of Mozilla's list.
    pub fn new(ca: Option<&Path>) -> Result<Client, HttpError> {
        let mut roots = RootCertStore::empty();
        match ca {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(file) => {
                let wrong = |what: String| HttpError::Setup(format!("{}: {what}", file.display()));
                let certificates = CertificateDer::pem_file_iter(file);
                for root in certificates.map_err(|error| wrong(error.to_string()))? {
                    let root = root.map_err(|error| wrong(error.to_string()))?;
                    roots.add(root).map_err(|error| wrong(error.to_string()))?;
                }
                if roots.is_empty() {
                    return Err(wrong("has no certificate in PEM".to_owned()));
                }
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Client {
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    /// Asks, and reads a JSON answer. Not cut off by itself: whoever calls has a time for it.
    pub async fn ask(&self, target: &Target, ask: Ask<'_>) -> Result<serde_json::Value, HttpError> {
        let connect = |error: &dyn fmt::Display| {
            HttpError::Connect(format!("{} port {}: {error}", target.host, target.port))
        };
        let name = ServerName::try_from(target.host.clone()).map_err(|error| connect(&error))?;
        let stream = TcpStream::connect((&*target.host, target.port)).await;
        let stream = stream.map_err(|error| connect(&error))?;
        let stream = self.tls.connect(name, stream).await;
        let stream = TokioIo::new(stream.map_err(|error| connect(&error))?);
        let answer = |error: &dyn fmt::Display| {
            HttpError::Answer(format!("{} does not answer well: {error}", target.host))
        };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream)
            .await
            .map_err(|error| answer(&error))?;
        // Dropped with this future, whenever its caller has no more patience.
        let mut driver = JoinSet::new();
        driver.spawn_local(connection);
        let sent = async {
            let response = sender.send_request(request(target, ask)?).await;
            let response = response.map_err(|error| answer(&error))?;
            if response.status() != StatusCode::OK {
                return Err(answer(&response.status()));
            }
            let body = Limited::new(response.into_body(), ANSWER_OCTETS_MAX);
            let body = body.collect().await.map_err(|error| answer(&error))?;
            serde_json::from_slice(&body.to_bytes()).map_err(|_| answer(&"no JSON"))
        };
        sent.await
    }
}

fn request(target: &Target, ask: Ask<'_>) -> Result<Request<Full<Bytes>>, HttpError> {
    let request = Request::builder()
        .uri(&target.path)
        .header(HOST, target.authority())
        .header(ACCEPT, "application/json");
    let built = match ask {
        Ask::Get => request.method(Method::GET).body(Full::default()),
        Ask::Form {
            form,
            authorization,
        } => {
            let mut request = request
                .method(Method::POST)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
            if let Some(authorization) = authorization {
                request = request.header(AUTHORIZATION, authorization);
            }
            request.body(Full::from(form))
        }
    };
    built.map_err(|error| HttpError::Setup(error.to_string()))
}

/// `application/x-www-form-urlencoded` of one value: what is not unreserved is a percent sign and two digits.
pub fn form_value(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(octet));
            }
            octet => out.push_str(&format!("%{octet:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        /// URL; host, port, path, authority.
        type Case = (
            &'static str,
            Option<(&'static str, u16, &'static str, &'static str)>,
        );
        const CASES: &[Case] = &[
            (
                "https://id.example.org/a?b=c",
                Some(("id.example.org", 443, "/a?b=c", "id.example.org")),
            ),
            (
                "https://[::1]:8443/",
                Some(("::1", 8443, "/", "[::1]:8443")),
            ),
            ("https://x", Some(("x", 443, "/", "x"))),
            ("http://id.example.org/", None),
            ("https:///", None),
            ("id.example.org", None),
            ("", None),
        ];
        for (url, expected) in CASES {
            let got = Target::read(url).ok();
            let got = got
                .as_ref()
                .map(|t| (&*t.host, t.port, &*t.path, t.authority()));
            let expected = expected.map(|(h, p, path, a)| (h, p, path, a.to_owned()));
            assert_eq!(got, expected, "{url}");
        }
    }

    #[test]
    fn form_values() {
        assert_eq!(form_value("a-Z.0_~"), "a-Z.0_~");
        assert_eq!(form_value("a b&c=d+\u{e9}/"), "a%20b%26c%3Dd%2B%C3%A9%2F");
    }
}
