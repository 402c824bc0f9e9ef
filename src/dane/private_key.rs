//! The public key of a private key (RFC 5958, RFC 5915, RFC 8017 §A.1.2, RFC 8410 §7).
//!
//! Of a private key only the public half leaves this file.

use crate::dane::der::{self, tag};
use crate::dane::key::{
    EC, ED448, ED25519, KeyError, PublicKey, RSA, RSA_PSS, bit_length, curve_number, ec_spki, spki,
};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcPoint, PointConversionForm};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey};

/// The largest RSA modulus whose private key is read: arithmetic on larger ones would let a file hold the program up.
const RSA_MAX_BITS: usize = 8192;

/// The public key that belongs to a private key in PKCS#8, SEC1 or PKCS#1 DER.
pub(super) fn public_half(private: &[u8]) -> Result<PublicKey, KeyError> {
    let body = der::only(tag::SEQUENCE, private).ok_or(KeyError::NotPrivateKey)?;
    match der::tags(body).as_slice() {
        [tag::INTEGER, tag::SEQUENCE, tag::OCTET_STRING, ..] => from_pkcs8(body),
        [tag::INTEGER, tag::OCTET_STRING, ..] => from_sec1(body, None),
        [tag::INTEGER, tag::INTEGER, tag::INTEGER, ..] => from_pkcs1(private),
        _ => Err(KeyError::NotPrivateKey),
    }
}

fn from_pkcs8(body: &[u8]) -> Result<PublicKey, KeyError> {
    let not = KeyError::NotPrivateKey;
    let (_version, rest) = der::expect(tag::INTEGER, body).ok_or(not.clone())?;
    let (algorithm, rest) = der::expect(tag::SEQUENCE, rest).ok_or(not.clone())?;
    let (private, attributes) = der::expect(tag::OCTET_STRING, rest).ok_or(not.clone())?;
    let (oid, parameters) = der::expect(tag::OID, algorithm).ok_or(not.clone())?;
    match oid {
        RSA => from_pkcs1(private),
        RSA_PSS => {
            // The numbers are those of any RSA key; what it is for stands beside them.
            let plain = from_pkcs1(private)?;
            PublicKey::from_spki(&spki(algorithm, &plain.verification_octets()))
        }
        EC => from_sec1(
            der::only(tag::SEQUENCE, private).ok_or(not)?,
            Some(parameters),
        ),
        ED25519 | ED448 => from_edwards(oid, private, attributes),
        _ => Err(KeyError::Unsupported(
            "private keys are read for RSA, ECDSA on P-256, P-384 and P-521, Ed25519 and Ed448",
        )),
    }
}

/// `ECPrivateKey` (RFC 5915 §3); inside PKCS#8 the curve stands outside of it.
fn from_sec1(body: &[u8], outer: Option<&[u8]>) -> Result<PublicKey, KeyError> {
    let not = KeyError::NotPrivateKey;
    let (_version, rest) = der::expect(tag::INTEGER, body).ok_or(not.clone())?;
    let (scalar, mut rest) = der::expect(tag::OCTET_STRING, rest).ok_or(not)?;
    let mut parameters = outer;
    let mut embedded = None;
    while let Ok((element, after)) = der::split(rest) {
        match element.tag {
            tag::CONTEXT_0 => parameters = parameters.or(Some(element.contents)),
            tag::CONTEXT_1 => embedded = der::only(tag::BIT_STRING, element.contents),
            _ => {}
        }
        rest = after;
    }
    let oid = parameters.and_then(|p| der::only(tag::OID, p));
    let Some((oid, number)) = oid.and_then(|oid| Some((oid, curve_number(oid)?))) else {
        return Err(KeyError::Unsupported(
            "EC private keys are read on the named curves P-256, P-384 and P-521 only",
        ));
    };
    let outside = KeyError::Damaged("its number is not one of the curve");
    let computed = point(number, scalar).ok().flatten().ok_or(outside)?;
    let computed = PublicKey::from_spki(&ec_spki(oid, &computed))?;
    let Some((0, point)) = embedded.and_then(<[u8]>::split_first) else {
        return Ok(computed);
    };
    // Certificates made from this key carry the point in the form the key file has it in (compressed or not).
    let written = PublicKey::from_spki(&ec_spki(oid, point))?;
    if written.is(&computed) {
        Ok(written)
    } else {
        Err(KeyError::Contradiction)
    }
}

/// The point of a private number; `None` if the number is not one of the curve.
fn point(curve: Nid, scalar: &[u8]) -> Result<Option<Vec<u8>>, ErrorStack> {
    let group = EcGroup::from_curve_name(curve)?;
    let mut context = BigNumContext::new()?;
    let mut order = BigNum::new()?;
    group.order(&mut order, &mut context)?;
    let scalar = BigNum::from_slice(scalar)?;
    if scalar.num_bits() == 0 || scalar >= order {
        return Ok(None);
    }
    let mut point = EcPoint::new(&group)?;
    point.mul_generator2(&group, &scalar, &mut context)?;
    let octets = point.to_bytes(&group, PointConversionForm::UNCOMPRESSED, &mut context)?;
    Ok(Some(octets))
}

/// `CurvePrivateKey` (RFC 8410 §7).
fn from_edwards(oid: &[u8], private: &[u8], attributes: &[u8]) -> Result<PublicKey, KeyError> {
    let seed = der::only(tag::OCTET_STRING, private).ok_or(KeyError::NotPrivateKey)?;
    let kind = if oid == ED25519 {
        Id::ED25519
    } else {
        Id::ED448
    };
    let pair = PKey::private_key_from_raw_bytes(seed, kind);
    let public = pair.and_then(|pair| pair.raw_public_key());
    let public = public.map_err(|_| KeyError::Damaged("it has not as many octets as its kind"))?;
    // RFC 5958 §2: the public key may follow as [1] IMPLICIT BIT STRING.
    let mut rest = attributes;
    while let Ok((element, after)) = der::split(rest) {
        if element.tag & 0x1f == 1 && element.contents.strip_prefix(&[0]) != Some(&public[..]) {
            return Err(KeyError::Contradiction);
        }
        rest = after;
    }
    PublicKey::from_spki(&spki(&der::wrap(tag::OID, oid), &public))
}

/// `RSAPrivateKey` (RFC 8017 §A.1.2); the numbers are checked against each other.
fn from_pkcs1(private: &[u8]) -> Result<PublicKey, KeyError> {
    use rsa::pkcs1::DecodeRsaPrivateKey as _;
    let not = KeyError::NotPrivateKey;
    let body = der::only(tag::SEQUENCE, private).ok_or(not.clone())?;
    let (version, rest) = der::expect(tag::INTEGER, body).ok_or(not.clone())?;
    let (modulus, rest) = der::expect(tag::INTEGER, rest).ok_or(not.clone())?;
    let (exponent, _) = der::expect(tag::INTEGER, rest).ok_or(not)?;
    if version != [0] {
        return Err(KeyError::Unsupported(
            "RSA keys of more than two primes are not read",
        ));
    }
    if bit_length(der::magnitude(modulus)) > RSA_MAX_BITS {
        return Err(KeyError::Unsupported(
            "RSA private keys above 8192 bits are not read",
        ));
    }
    rsa::PrivateKey::from_pkcs1_der(private)
        .map_err(|_| KeyError::Damaged("its RSA numbers do not fit together"))?;
    let numbers = [
        der::wrap(tag::INTEGER, modulus),
        der::wrap(tag::INTEGER, exponent),
    ]
    .concat();
    PublicKey::from_pkcs1(&der::wrap(tag::SEQUENCE, &numbers))
}
