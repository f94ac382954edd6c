//! Tests of whose certificates are believed, against a server of this process.

use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion, version};

use super::failure::Distrust;
use super::*;

const PATIENCE: Duration = Duration::from_secs(5);
const BOTH: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

/// A certificate and its key.
struct Made {
    cert: Certificate,
    key: KeyPair,
}

/// As `openssl req -x509` makes one: signed by itself, and an authority's.
fn openssl_like(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Made {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let cert = params.self_signed(&key).unwrap();
    Made { cert, key }
}

/// What a server wants of its clients.
#[derive(Clone, Copy, PartialEq)]
enum Wish {
    Nothing,
    Certificate,
    CertificateIfThereIsOne,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn server(
    shown: &Certificate,
    key: &KeyPair,
    versions: &[&'static SupportedProtocolVersion],
    wish: Wish,
) -> TlsAcceptor {
    let nobody = openssl_like(&["ca"], |_| {}).cert;
    server_for(&nobody, (shown, key), versions, wish)
}

/// One that takes certificates of clients that `authority` signed.
fn server_for(
    authority: &Certificate,
    (shown, key): (&Certificate, &KeyPair),
    versions: &[&'static SupportedProtocolVersion],
    wish: Wish,
) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let key = provider().key_provider.load_private_key(key).unwrap();
    let shown = CertifiedKey::new(vec![shown.der().clone()], key);
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap();
    let config = if wish == Wish::Nothing {
        config.with_no_client_auth()
    } else {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        let verifier = match wish {
            Wish::CertificateIfThereIsOne => verifier.allow_unauthenticated(),
            _ => verifier,
        };
        config.with_client_cert_verifier(verifier.build().unwrap())
    };
    let config = config.with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    TlsAcceptor::from(Arc::new(config))
}

/// What a client of `trust` says of a server that it knows as localhost.
async fn shaken(trust: &Trust, server: TlsAcceptor) -> Result<(), TlsFailure> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = async {
        let (stream, _) = listener.accept().await.unwrap();
        if let Ok(mut stream) = server.accept(stream).await {
            // Until the client leaves.
            drop(stream.read(&mut [0; 64]).await);
        }
    };
    let tls = trust.tls("localhost").unwrap();
    let (shaken, ()) = tokio::join!(tls.handshake((address, None), PATIENCE), serving);
    shaken
}

fn naming(cert: &Certificate) -> Trust {
    Trust::system(Some(cert.pem().as_bytes()), None).unwrap()
}

async fn distrusted(named: &Made, shown: &Made) -> Distrust {
    let server = server(&shown.cert, &shown.key, &BOTH, Wish::Nothing);
    match shaken(&naming(&named.cert), server).await {
        Err(TlsFailure::Certificate(distrust)) => distrust,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_authority_must_be_one() {
    let refused = |text: &[u8]| Trust::system(Some(text), None).unwrap_err().to_string();
    assert_eq!(refused(b"hello"), "it holds no certificate");
    assert!(refused(b"-----BEGIN CERTIFICATE-----\nx\n").contains("no PEM"));
    let broken = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    assert_eq!(
        refused(broken.as_bytes()),
        "a certificate in it cannot be used: it cannot be read"
    );
    Trust::blind(None).unwrap();
}

#[tokio::test]
async fn a_certificate_that_is_named_is_believed_as_the_servers_own() {
    let made = openssl_like(&["localhost"], |_| {});
    for version in BOTH {
        let server = server(&made.cert, &made.key, &[version], Wish::Nothing);
        assert_eq!(shaken(&naming(&made.cert), server).await, Ok(()));
    }
    // Neither its own authority nor anybody's that is known.
    let issuer = Issuer::new(CertificateParams::default(), KeyPair::generate().unwrap());
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let cert = params.signed_by(&key, &issuer).unwrap();
    let leaf = server(&cert, &key, &BOTH, Wish::Nothing);
    assert_eq!(shaken(&naming(&cert), leaf).await, Ok(()));
}

#[tokio::test]
async fn what_is_not_named_is_not_believed_by_its_likeness() {
    let (one, other) = (
        openssl_like(&["localhost"], |_| {}),
        openssl_like(&["localhost"], |_| {}),
    );
    assert_eq!(distrusted(&one, &other).await, Distrust::OfAuthority);
    // The right certificate in the hands of somebody else.
    let thief = server(&one.cert, &other.key, &BOTH, Wish::Nothing);
    let failure = shaken(&naming(&one.cert), thief).await.unwrap_err();
    assert!(
        !matches!(failure, TlsFailure::Certificate(Distrust::OfAuthority)),
        "{failure}"
    );
}

#[tokio::test]
async fn name_and_time_of_a_named_certificate_count() {
    let made = openssl_like(&["chat.test", "127.0.0.9"], |_| {});
    assert_eq!(
        distrusted(&made, &made).await.to_string(),
        "it is for chat.test, 127.0.0.9, and not for localhost"
    );
    let nameless = openssl_like(&[], |_| {});
    let distrust = distrusted(&nameless, &nameless).await;
    assert!(distrust.to_string().contains("no subjectAltName"));
    let old = openssl_like(&["localhost"], |params| {
        params.not_after = rcgen::date_time_ymd(2020, 1, 2);
    });
    assert_eq!(
        distrusted(&old, &old).await.to_string(),
        "it expired at 2020-01-02T00:00:00Z"
    );
    let young = openssl_like(&["localhost"], |params| {
        params.not_before = rcgen::date_time_ymd(4000, 1, 1);
    });
    assert!(matches!(
        distrusted(&young, &young).await,
        Distrust::Early(_)
    ));
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_of_the_client_is_understood() {
    let made = openssl_like(&["localhost"], |_| {});
    for version in BOTH {
        let server = server(&made.cert, &made.key, &[version], Wish::Certificate);
        let failure = shaken(&naming(&made.cert), server).await.unwrap_err();
        let text = failure.to_string();
        assert!(
            text.contains("it wants a certificate of the client"),
            "{text}"
        );
        assert!(text.contains("the server sent the TLS alert"), "{text}");
        assert!(failure.is_of_tls());
    }
    let server = server(&made.cert, &made.key, &BOTH, Wish::CertificateIfThereIsOne);
    assert_eq!(shaken(&naming(&made.cert), server).await, Ok(()));
}

#[tokio::test]
async fn a_certificate_of_the_client_is_shown_where_it_is_asked_for() {
    let made = openssl_like(&["localhost"], |_| {});
    // A certificate of the client, and that of the authority that signed it.
    let signed = || {
        let (ca, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut params = CertificateParams::new(["ca".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&ca).unwrap();
        let client = CertificateParams::new(["ann".to_owned()]).unwrap();
        let cert = client.signed_by(&key, &Issuer::new(params, ca)).unwrap();
        (Made { cert, key }, authority)
    };
    let ((known, authority), (other, _)) = (signed(), signed());
    let naming = |own: &Made| {
        let chain = certificates(own.cert.pem().as_bytes()).unwrap();
        let identity = Identity::of(chain, own.key.serialize_pem().as_bytes()).unwrap();
        Trust::system(Some(made.cert.pem().as_bytes()), Some(identity)).unwrap()
    };
    for version in BOTH {
        let server = || {
            let shown = (&made.cert, &made.key);
            server_for(&authority, shown, &[version], Wish::Certificate)
        };
        assert_eq!(shaken(&naming(&known), server()).await, Ok(()));
        let failure = shaken(&naming(&other), server()).await.unwrap_err();
        let text = failure.to_string();
        assert!(text.contains("it does not take the certificate"), "{text}");
        assert!(failure.hint().contains("--client-cert"));
    }
    let plain = server(&made.cert, &made.key, &BOTH, Wish::Nothing);
    assert_eq!(shaken(&naming(&known), plain).await, Ok(()));
}

#[test]
fn a_key_that_is_none_or_of_another_certificate_is_refused() {
    let [ann, bob] = ["ann", "bob"].map(|name| openssl_like(&[name], |_| {}));
    let refused = |key: &str| {
        let chain = certificates(ann.cert.pem().as_bytes()).unwrap();
        Identity::of(chain, key.as_bytes()).unwrap_err().to_string()
    };
    assert!(refused("").contains("no private key"));
    assert!(refused(&ann.cert.pem()).contains("no private key"));
    let locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert!(refused(locked).contains("without a passphrase"));
    assert!(refused(&bob.key.serialize_pem()).contains("not the key of the certificate"));
}

#[tokio::test]
async fn what_speaks_no_tls_is_told_from_what_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tls = Trust::blind(None).unwrap().tls("localhost").unwrap();
    let serving = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
        drop(stream.read(&mut [0; 1024]).await);
        let (stream, _) = listener.accept().await.unwrap();
        stream.readable().await.unwrap();
        let mut hello = vec![0; 4096];
        drop(stream.try_read(&mut hello));
    };
    let shaking = async {
        let plain = tls.handshake((address, None), PATIENCE).await;
        (plain, tls.handshake((address, None), PATIENCE).await)
    };
    let ((plain, ended), ()) = tokio::join!(shaking, serving);
    assert_eq!(plain, Err(TlsFailure::NotTls));
    assert_eq!(ended, Err(TlsFailure::Ended));
}

#[test]
fn no_failure_is_told_in_the_words_of_a_program() {
    use tokio_rustls::rustls::{
        AlertDescription, CertificateError, Error, OtherError, PeerIncompatible,
    };
    let other = |rule: webpki::Error| {
        Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(rule))))
    };
    for (error, said) in [
        (
            Error::AlertReceived(AlertDescription::HandshakeFailure),
            "the server sent the TLS alert handshake_failure (40)",
        ),
        (
            Error::AlertReceived(AlertDescription::CertificateRequired),
            "the server sent the TLS alert certificate_required (116): it wants a certificate of the client",
        ),
        (
            Error::AlertReceived(AlertDescription::Unknown(199)),
            "the server sent the TLS alert of no known name (199)",
        ),
        (
            Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
            "it has no TLS in common with this client: no cipher suites in common",
        ),
        (
            other(webpki::Error::MaximumPathDepthExceeded),
            "the certificate is not believed: it breaks a rule for certificates: maximum path depth exceeded",
        ),
    ] {
        // As it comes from a socket, and from a request.
        let from_socket = io::Error::new(io::ErrorKind::InvalidData, error);
        let within = io::Error::other(from_socket);
        assert_eq!(innermost(&within), said);
    }
    assert_eq!(innermost(&io::Error::other("as it is")), "as it is");
}
