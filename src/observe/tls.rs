//! A TLS client handshake that trusts nobody and asks for one kind of key (RFC 8446 §4.2.3, RFC 5246 §7.4.1.4.1).
//!
//! Every chain is accepted and kept: judging it is DANE's business. That the peer holds the private key of the leaf it
//! presents is verified, with the leaf's own SPKI, so that a chain seen here was really presented by its owner.

use crate::dane::certificate::Certificate;
use crate::rotation::observation::KeyAlgorithm;
use ring::signature::{self as sig, UnparsedPublicKey, VerificationAlgorithm};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::{CryptoProvider, ring as provider};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{
    AlertDescription, CertificateError, DigitallySignedStruct, Error, PeerMisbehaved,
    SignatureScheme, SupportedCipherSuite,
};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Schemes that an RSA key can sign with.
const RSA: &[SignatureScheme] = &[
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
];

/// Schemes that an ECDSA or Ed25519 key can sign with.
const ECDSA: &[SignatureScheme] = &[
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ED25519,
];

/// What a `ClientHello` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Whatever the server prefers: what a sender asks.
    Anything,
    /// Signatures of this algorithm only, in TLS 1.3 and 1.2.
    Only(KeyAlgorithm),
    /// Cipher suites of this algorithm only, in TLS 1.2, with every signature scheme: a server that lets the schemes
    /// constrain the signatures *within* its chain too has no reason to hold it back.
    OnlySuites(KeyAlgorithm),
}

/// Why a handshake gave no chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The peer says, by an alert, that nothing it has fits what was asked for.
    #[error("the server has nothing that fits (TLS alert {0})")]
    NothingFits(String),
    /// The name cannot be sent as SNI.
    #[error("`{0}` is not a host name")]
    BadName(String),
    /// Anything else: another alert, no TLS, a wrong signature, the connection lost.
    #[error("{0}")]
    Failed(String),
}

/// A finished handshake.
pub struct Secured<S> {
    /// The stream, now encrypted.
    pub stream: TlsStream<S>,
    /// The presented certificates in DER, leaf first, as they came.
    pub chain: Vec<Vec<u8>>,
}

/// Does the handshake over `stream` with `name` as SNI. The caller bounds its time.
pub async fn handshake<S>(stream: S, name: &str, ask: Ask) -> Result<Secured<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let server = ServerName::try_from(name.trim_end_matches('.').to_owned())
        .map_err(|_| HandshakeError::BadName(name.to_owned()))?;
    let config = config(ask).map_err(|e| HandshakeError::Failed(e.to_string()))?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(server, stream)
        .await
        .map_err(|e| failure(&e, ask))?;
    let certificates = stream.get_ref().1.peer_certificates();
    let chain = certificates
        .unwrap_or_default()
        .iter()
        .map(|der| der.to_vec())
        .collect();
    Ok(Secured { stream, chain })
}

fn config(ask: Ask) -> Result<ClientConfig, Error> {
    let mut provider: CryptoProvider = provider::default_provider();
    let everything = [ECDSA, RSA].concat();
    let schemes = match ask {
        Ask::Only(algorithm) => of(algorithm).to_vec(),
        Ask::Anything | Ask::OnlySuites(_) => everything,
    };
    if let Ask::Only(algorithm) | Ask::OnlySuites(algorithm) = ask {
        provider.cipher_suites.retain(|suite| match suite {
            // Suites of TLS 1.3 do not say what the key is.
            SupportedCipherSuite::Tls13(_) => true,
            SupportedCipherSuite::Tls12(suite) => {
                suite.sign.iter().any(|s| of(algorithm).contains(s))
            }
        });
    }
    let versions: &[_] = match ask {
        Ask::OnlySuites(_) => &[&TLS12],
        Ask::Anything | Ask::Only(_) => &[&TLS13, &TLS12],
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AcceptAnyChain { schemes }))
        .with_no_client_auth();
    // A resumed session presents no certificate.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn of(algorithm: KeyAlgorithm) -> &'static [SignatureScheme] {
    match algorithm {
        KeyAlgorithm::Rsa => RSA,
        KeyAlgorithm::Ecdsa => ECDSA,
    }
}

/// Which alerts mean "nothing fits": `handshake_failure` (RFC 8446 §4.4.2.2 and §6.2) from most servers,
/// `access_denied` from those on rustls whose resolver has no certificate for the `ClientHello`, and for a question
/// that TLS 1.2 alone can answer, `protocol_version` from those that speak TLS 1.3 only.
fn failure(error: &io::Error, ask: Ask) -> HandshakeError {
    let inner = error.get_ref().and_then(|e| e.downcast_ref::<Error>());
    match inner {
        Some(Error::AlertReceived(
            alert @ (AlertDescription::HandshakeFailure | AlertDescription::AccessDenied),
        )) => HandshakeError::NothingFits(format!("{alert:?}")),
        Some(Error::AlertReceived(alert @ AlertDescription::ProtocolVersion))
            if matches!(ask, Ask::OnlySuites(_)) =>
        {
            HandshakeError::NothingFits(format!("{alert:?}"))
        }
        Some(Error::AlertReceived(alert)) => HandshakeError::Failed(format!(
            "the server ended the handshake with TLS alert {alert:?}"
        )),
        Some(other) => HandshakeError::Failed(format!("TLS handshake: {other}")),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            HandshakeError::Failed("the connection was closed during the TLS handshake".to_owned())
        }
        None => HandshakeError::Failed(format!("TLS handshake: {error}")),
    }
}

#[derive(Debug)]
struct AcceptAnyChain {
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for AcceptAnyChain {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, cert, dss, false)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, cert, dss, true)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

impl AcceptAnyChain {
    /// With ring and the key's octets alone: a certificate that is odd in any other way is still its owner's.
    fn verify(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
        tls13: bool,
    ) -> Result<HandshakeSignatureValid, Error> {
        if !self.schemes.contains(&dss.scheme) {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        let key = Certificate::from_der(certificate)
            .ok()
            .and_then(|leaf| leaf.public_key().ok())
            .ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let octets = key.verification_octets();
        let bad = Error::InvalidCertificate(CertificateError::BadSignature);
        let algorithm =
            scheme(dss.scheme, key.algorithm(), octets.len(), tls13).ok_or(bad.clone())?;
        UnparsedPublicKey::new(algorithm, octets)
            .verify(message, dss.signature())
            .map_err(|_| bad)?;
        Ok(HandshakeSignatureValid::assertion())
    }
}

/// How to verify a signature of this scheme by a key of this algorithm and size.
///
/// TLS 1.3 ties the scheme to the curve and has no PKCS#1 v1.5 in handshakes (RFC 8446 §4.2.3); TLS 1.2 does neither.
fn scheme(
    scheme: SignatureScheme,
    key: Option<KeyAlgorithm>,
    octets: usize,
    tls13: bool,
) -> Option<&'static dyn VerificationAlgorithm> {
    const ED25519_OCTETS: usize = 32;
    const P256_OCTETS: usize = 65;
    const P384_OCTETS: usize = 97;
    Some(match (key?, scheme, octets) {
        (KeyAlgorithm::Rsa, SignatureScheme::RSA_PSS_SHA256, _) => &sig::RSA_PSS_2048_8192_SHA256,
        (KeyAlgorithm::Rsa, SignatureScheme::RSA_PSS_SHA384, _) => &sig::RSA_PSS_2048_8192_SHA384,
        (KeyAlgorithm::Rsa, SignatureScheme::RSA_PSS_SHA512, _) => &sig::RSA_PSS_2048_8192_SHA512,
        (KeyAlgorithm::Rsa, _, _) if tls13 => return None,
        (KeyAlgorithm::Rsa, SignatureScheme::RSA_PKCS1_SHA256, _) => {
            &sig::RSA_PKCS1_2048_8192_SHA256
        }
        (KeyAlgorithm::Rsa, SignatureScheme::RSA_PKCS1_SHA384, _) => {
            &sig::RSA_PKCS1_2048_8192_SHA384
        }
        (KeyAlgorithm::Rsa, SignatureScheme::RSA_PKCS1_SHA512, _) => {
            &sig::RSA_PKCS1_2048_8192_SHA512
        }
        (KeyAlgorithm::Ecdsa, SignatureScheme::ED25519, ED25519_OCTETS) => &sig::ED25519,
        (KeyAlgorithm::Ecdsa, SignatureScheme::ECDSA_NISTP256_SHA256, P256_OCTETS) => {
            &sig::ECDSA_P256_SHA256_ASN1
        }
        (KeyAlgorithm::Ecdsa, SignatureScheme::ECDSA_NISTP384_SHA384, P384_OCTETS) => {
            &sig::ECDSA_P384_SHA384_ASN1
        }
        (KeyAlgorithm::Ecdsa, SignatureScheme::ECDSA_NISTP384_SHA384, P256_OCTETS) if !tls13 => {
            &sig::ECDSA_P256_SHA384_ASN1
        }
        (KeyAlgorithm::Ecdsa, SignatureScheme::ECDSA_NISTP256_SHA256, P384_OCTETS) if !tls13 => {
            &sig::ECDSA_P384_SHA256_ASN1
        }
        _ => return None,
    })
}
