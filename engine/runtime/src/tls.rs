//! TLS configuration: certificates from PEM files, reloadable; and the client's side for the load generator.
//!
//! TLS 1.2 and 1.3, AES-GCM before ChaCha20 whatever the client prefers. No session tickets: with a P-256 key a
//! resumed handshake gains nothing, and each connection keeps less.

use crate::shared::Shared;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
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
}

/// The server's side. A reload serves the connections that come after it.
pub struct TlsServer {
    config: Shared<Arc<ServerConfig>>,
}

impl TlsServer {
    /// Reads a certificate chain, the server's own first, and its key.
    pub fn from_pem(certificate: &Path, key: &Path) -> Result<TlsServer, TlsError> {
        let config = server_config(certificate, key)?;
        Ok(TlsServer {
            config: Shared::new(Arc::new(config)),
        })
    }

    /// Reads again. On an error the old ones stay in force.
    pub fn reload(&self, certificate: &Path, key: &Path) -> Result<(), TlsError> {
        let config = server_config(certificate, key)?;
        self.config.store(Arc::new(config));
        Ok(())
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config.load())
    }
}

/// The client's side.
pub struct TlsClient {
    pub(crate) config: Arc<ClientConfig>,
}

impl TlsClient {
    /// Trusts the certificates of a PEM file, and those they signed.
    pub fn trusting(roots: &Path) -> Result<TlsClient, TlsError> {
        let mut store = RootCertStore::empty();
        for root in certificates(roots)? {
            store
                .add(root)
                .map_err(|error| wrong(roots, format!("cannot be trusted: {error}")))?;
        }
        let config = client_builder().with_root_certificates(store);
        Ok(TlsClient {
            config: Arc::new(config.with_no_client_auth()),
        })
    }

    /// Takes any certificate of anyone: encryption against nobody. For load generators and tests on loopback.
    pub fn dangerous_accept_any() -> TlsClient {
        let config = client_builder()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AcceptAny));
        TlsClient {
            config: Arc::new(config.with_no_client_auth()),
        }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn client_builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for TLS 1.2 and 1.3")
}

fn server_config(certificate: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let chain = certificates(certificate)?;
    let secret = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| {
        let what = match error {
            rustls::pki_types::pem::Error::NoItemsFound => "has no private key in PEM".to_owned(),
            error => format!("is not a private key in PEM: {error}"),
        };
        wrong(key, what)
    })?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for TLS 1.2 and 1.3")
        .with_no_client_auth()
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
