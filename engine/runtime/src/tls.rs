//! TLS configuration: certificates from PEM files, reloadable; and the client's side for the load generator.
//!
//! TLS 1.2 and 1.3, AES-GCM before ChaCha20 whatever the client prefers. No session tickets: with a P-256 key a
//! resumed handshake gains nothing, and each connection keeps less.
//!
//! Where client certificates are asked for, any is taken and the key behind it is proved, but only one that an
//! authority of [`TlsFiles::client_ca`] signed says who the client is: a stranger's certificate is as good as none.

use crate::certificate::{self, ClientCertificate};
use crate::shared::Shared;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig,
    SignatureScheme,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, io};

/// What is wrong with a certificate or key: the file, and what to do about it.
#[derive(Debug)]
pub struct TlsError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.what)
    }
}

impl std::error::Error for TlsError {}

/// What was agreed on with the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsInfo {
    /// `TLSv1.2` or `TLSv1.3`, as RFC 8314 §4.3 wants it told.
    pub version: &'static str,
    /// The cipher suite by its IANA name.
    pub cipher: &'static str,
    /// The name the client asked for. RFC 6066 §3.
    pub sni: Option<Box<str>>,
    /// Channel binding `tls-exporter`. RFC 9266. None in TLS 1.2 without extended master secret.
    pub exporter: Option<[u8; 32]>,
    /// Channel binding `tls-server-end-point`: a hash of the server's certificate. RFC 5929 §4.
    pub end_point: Option<Arc<[u8]>>,
    /// Who the client is, by a certificate that one of our authorities signed.
    pub client: Option<Box<ClientCertificate>>,
}

/// What a [`TlsServer`] is made of: PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// A certificate chain, the server's own first.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Authorities whose certificates say who a client is. Without it no client is asked for one.
    pub client_ca: Option<PathBuf>,
}

/// The server's side. A reload serves the connections that come after it.
pub struct TlsServer {
    pair: Shared<Arc<Pair>>,
}

/// A certificate and its key in force, and what a session needs to know of them.
pub(crate) struct Pair {
    pub config: Arc<ServerConfig>,
    pub end_point: Option<Arc<[u8]>>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
}

impl Pair {
    /// Who the client is that showed `chain`.
    pub fn client(&self, chain: &[CertificateDer<'_>]) -> Option<Box<ClientCertificate>> {
        let (own, above) = chain.split_first()?;
        let clients = self.clients.as_ref()?;
        clients
            .verify_client_cert(own, above, UnixTime::now())
            .ok()?;
        certificate::client(own).map(Box::new)
    }
}

impl TlsServer {
    /// Reads a certificate chain, the server's own first, and its key; asks no client for a certificate.
    pub fn from_pem(certificate: &Path, key: &Path) -> Result<TlsServer, TlsError> {
        Self::from_files(&TlsFiles {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            client_ca: None,
        })
    }

    /// Reads what `files` names.
    pub fn from_files(files: &TlsFiles) -> Result<TlsServer, TlsError> {
        Ok(TlsServer {
            pair: Shared::new(Arc::new(pair(files)?)),
        })
    }

    /// Reads again. On an error the old ones stay in force.
    pub fn reload(&self, files: &TlsFiles) -> Result<(), TlsError> {
        self.pair.store(Arc::new(pair(files)?));
        Ok(())
    }

    pub(crate) fn pair(&self) -> Arc<Pair> {
        Arc::clone(&self.pair.load())
    }
}

/// The client's side.
pub struct TlsClient {
    pub(crate) config: Arc<ClientConfig>,
}

impl TlsClient {
    /// Trusts the certificates of a PEM file, and those they signed.
    pub fn trusting(roots: &Path) -> Result<TlsClient, TlsError> {
        let config = client_builder().with_root_certificates(self::roots(roots)?);
        Ok(TlsClient {
            config: Arc::new(config.with_no_client_auth()),
        })
    }

    /// Takes any certificate of anyone: encryption against nobody. For load generators and tests on loopback.
    pub fn dangerous_accept_any() -> TlsClient {
        let config = any_server();
        TlsClient {
            config: Arc::new(config.with_no_client_auth()),
        }
    }

    /// As [`TlsClient::dangerous_accept_any`], with a certificate of its own to show.
    pub fn dangerous_with_certificate(
        certificate: &Path,
        key: &Path,
    ) -> Result<TlsClient, TlsError> {
        let chain = certificates(certificate)?;
        let config = any_server()
            .with_client_auth_cert(chain, secret(key)?)
            .map_err(|error| wrong(key, format!("is not a usable key: {error}")))?;
        Ok(TlsClient {
            config: Arc::new(config),
        })
    }
}

fn any_server() -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    client_builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AcceptAny))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn client_builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for TLS 1.2 and 1.3")
}

fn roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for root in certificates(file)? {
        store
            .add(root)
            .map_err(|error| wrong(file, format!("cannot be trusted: {error}")))?;
    }
    Ok(store)
}

fn pair(files: &TlsFiles) -> Result<Pair, TlsError> {
    let clients = match &files.client_ca {
        None => None,
        Some(file) => {
            let roots = Arc::new(roots(file)?);
            let built = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
            Some(built.map_err(|error| wrong(file, format!("cannot be trusted: {error}")))?)
        }
    };
    let chain = certificates(&files.certificate)?;
    Ok(Pair {
        end_point: certificate::end_point(&chain[0]),
        config: Arc::new(server_config(files, chain, clients.clone())?),
        clients,
    })
}

fn server_config(
    files: &TlsFiles,
    chain: Vec<CertificateDer<'static>>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, TlsError> {
    let (certificate, key) = (files.certificate.as_path(), files.key.as_path());
    let secret = secret(key)?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for TLS 1.2 and 1.3");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => builder.with_client_cert_verifier(Arc::new(AskAny(clients))),
    };
    let mut config = builder
        .with_single_cert(chain, secret)
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => wrong(
                key,
                format!(
                    "does not belong to the certificate in {}",
                    certificate.display()
                ),
            ),
            rustls::Error::InvalidCertificate(error) => {
                wrong(certificate, format!("is not a usable certificate: {error}"))
            }
            error => wrong(key, format!("is not a usable key: {error}")),
        })?;
    config.ignore_client_order = true;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn secret(key: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| {
        let what = match error {
            rustls::pki_types::pem::Error::NoItemsFound => "has no private key in PEM".to_owned(),
            error => format!("is not a private key in PEM: {error}"),
        };
        wrong(key, what)
    })
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(file)?).collect();
    let chain = chain.map_err(|error| wrong(file, format!("is not PEM: {error}")))?;
    match chain.is_empty() {
        true => Err(wrong(file, "has no certificate in PEM".to_owned())),
        false => Ok(chain),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(file).map_err(|error| {
        let what = match error.kind() {
            io::ErrorKind::PermissionDenied => {
                format!("cannot be read: {error}; the server's user needs to read it")
            }
            _ => format!("cannot be read: {error}"),
        };
        wrong(file, what)
    })
}

fn wrong(file: &Path, what: String) -> TlsError {
    TlsError {
        file: file.to_owned(),
        what,
    }
}

/// The verifier of [`TlsClient::dangerous_accept_any`].
#[cfg(test)]
pub(crate) fn any() -> Arc<dyn ServerCertVerifier> {
    Arc::new(AcceptAny)
}

/// See [`TlsClient::dangerous_accept_any`]. Signatures are still checked: the peer has the key it shows.
#[derive(Debug)]
struct AcceptAny;

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Asks for a certificate and takes any or none; signatures are checked. [`Pair::client`] says what it is worth.
#[derive(Debug)]
struct AskAny(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for AskAny {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
