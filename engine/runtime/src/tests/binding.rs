//! What a login can be bound to: both ends of a handshake know the same, and who the client is.

use super::*;
use crate::session::Session;
use crate::{TlsClient, TlsFiles, TlsInfo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::path::PathBuf;

/// Shakes hands in memory, each flight in pieces of `octets`; what each side knows then.
fn shaken(server: &TlsServer, client: &TlsClient, octets: usize) -> (TlsInfo, TlsInfo) {
    let mut server = Session::accept(server).expect("a session");
    let mut client = Session::connect(client, "localhost").expect("a session");
    let (mut wire, mut plain) = (Vec::new(), Vec::new());
    while client.info().is_none() || server.info().is_none() {
        client.pull(&mut wire).expect("sealed");
        for piece in wire.chunks(octets) {
            server.open(piece, &mut plain).expect("opened");
        }
        wire.clear();
        server.pull(&mut wire).expect("sealed");
        for piece in wire.chunks(octets) {
            client.open(piece, &mut plain).expect("opened");
        }
        wire.clear();
    }
    let info = |session: &Session| session.info().expect("agreed").clone();
    (info(&server), info(&client))
}

/// A client that speaks nothing newer than TLS 1.2.
fn old_client() -> TlsClient {
    let client = TlsClient::dangerous_accept_any();
    let provider = client.config.crypto_provider().clone();
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .expect("suites of TLS 1.2");
    let mut old = builder
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    old.dangerous().set_certificate_verifier(crate::tls::any());
    TlsClient {
        config: Arc::new(old),
    }
}

#[test]
fn both_ends_know_the_same() {
    let server = tls_server();
    for octets in [1, 100, 16_384] {
        let (ours, theirs) = shaken(&server, &TlsClient::dangerous_accept_any(), octets);
        assert_eq!(ours.version, "TLSv1.3");
        assert!(ours.exporter.is_some());
        assert_eq!(ours.exporter, theirs.exporter);
        assert_eq!(ours.end_point.as_ref().map(|hash| hash.len()), Some(32));
        assert_eq!(ours.end_point, theirs.end_point);
        assert_eq!(ours.client, None);
    }
    let (one, _) = shaken(&server, &TlsClient::dangerous_accept_any(), 100);
    let (two, _) = shaken(&server, &TlsClient::dangerous_accept_any(), 100);
    assert_ne!(one.exporter, two.exporter, "each connection has its own");
}

/// RFC 9266 §4.2: in TLS 1.2 only with the extended master secret, which this client asks for.
#[test]
fn in_tls_1_2_the_hello_decides() {
    let (ours, theirs) = shaken(&tls_server(), &old_client(), 1);
    assert_eq!((ours.version, theirs.version), ("TLSv1.2", "TLSv1.2"));
    assert!(ours.exporter.is_some());
    assert_eq!(theirs.exporter, None, "a client does not know it");
    assert_eq!(ours.end_point, theirs.end_point);
}

/// A certificate for `address` and its key, signed by `issuer`, as files.
fn client_pair(dir: &Path, address: &str, issuer: &CertifiedIssuer<'_, KeyPair>) -> TlsClient {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, address);
    let signed = params.signed_by(&key, issuer).expect("signed");
    let (certificate, file) = (dir.join("client.pem"), dir.join("client.key"));
    std::fs::write(&certificate, signed.pem()).expect("written");
    std::fs::write(&file, key.serialize_pem()).expect("written");
    TlsClient::dangerous_with_certificate(&certificate, &file).expect("a good pair")
}

fn authority(file: PathBuf) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, format!("{}", file.display()));
    let key = KeyPair::generate().expect("a key");
    let issuer = CertifiedIssuer::self_signed(params, key).expect("signed");
    std::fs::write(file, issuer.pem()).expect("written");
    issuer
}

#[test]
fn an_authority_says_who_a_client_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let (certificate, key) = super::certificate(dir.path());
    let (ca, other_ca) = (dir.path().join("ca.pem"), dir.path().join("other.pem"));
    let (issuer, other) = (authority(ca.clone()), authority(other_ca));
    let files = TlsFiles {
        certificate,
        key,
        client_ca: Some(ca),
    };
    let server = TlsServer::from_files(&files).expect("good files");
    let alice = client_pair(dir.path(), "alice@example.test", &issuer);
    let (ours, _) = shaken(&server, &alice, 16_384);
    let client = ours.client.expect("known");
    assert_eq!(&*client.addresses, &["alice@example.test".into()]);
    // A stranger's certificate is as good as none: the handshake goes on.
    let stranger = client_pair(dir.path(), "alice@example.test", &other);
    for client in [stranger, TlsClient::dangerous_accept_any(), old_client()] {
        let (ours, _) = shaken(&server, &client, 16_384);
        assert_eq!(ours.client, None);
    }
    // Whoever is not to be asked is not.
    let asked_nobody = TlsServer::from_pem(&files.certificate, &files.key).expect("good files");
    assert_eq!(shaken(&asked_nobody, &alice, 16_384).0.client, None);
}
