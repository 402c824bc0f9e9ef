//! The example of RFC 6605 §6.1, and what becomes of it when one thing is changed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

fn rdata(rtype: Rtype, text: &str) -> Rdata {
    Rdata::from_text(rtype, text.as_bytes(), None).unwrap()
}

/// The example of RFC 6605 §6.1.
struct Example {
    owner: Name,
    rrset: Rrset,
    rrsig: Rdata,
    keys: Vec<Rdata>,
    apex: Name,
    at: Instant,
}

impl Example {
    fn new() -> Self {
        Self {
            owner: name("www.example.net."),
            rrset: Rrset {
                ttl: Ttl(3600),
                rdatas: vec![rdata(Rtype::A, "192.0.2.1")],
            },
            rrsig: rdata(
                Rtype::RRSIG,
                "A 13 3 3600 20100909100439 20100812100439 55648 example.net. \
                 qx6wLYqmh+l9oCKTN6qIc+bw6ya+KJ8oMz0YP107epXAyGmt+3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw==",
            ),
            keys: vec![rdata(
                Rtype::DNSKEY,
                "257 3 13 GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==",
            )],
            apex: name("example.net."),
            at: Instant::from_unix(1_283_000_000),
        }
    }

    fn verify(&self) -> Result<Verified, Invalid> {
        let Self {
            owner,
            rrset,
            rrsig,
            keys,
            apex,
            at,
        } = self;
        verify_rrset(owner, Rtype::A, rrset, rrsig, keys, apex, *at)
    }

    fn with(change: impl FnOnce(&mut Self)) -> Result<Verified, Invalid> {
        let mut example = Self::new();
        change(&mut example);
        example.verify()
    }

    fn flip(&mut self, octet: usize) {
        self.rrsig.0[octet] ^= 1;
    }
}

const ID: KeyId = KeyId {
    algorithm: 13,
    tag: 55648,
};

#[test]
fn the_example_of_the_rfc_holds_within_its_time_and_not_outside() {
    let verified = Example::new().verify().unwrap();
    assert_eq!((verified.key, verified.original_ttl), (ID, Ttl(3600)));
    assert_eq!(verified.wildcard, None);
    let SignatureWindow {
        inception,
        expiration,
    } = verified.window;
    assert!(Example::with(|e| e.at = inception).is_ok());
    assert!(Example::with(|e| e.at = expiration).is_ok());
    let second = crate::rotation::timing::Span::seconds(1);
    assert_eq!(
        Example::with(|e| e.at = inception - second),
        Err(Invalid::NotYet(inception))
    );
    assert_eq!(
        Example::with(|e| e.at = expiration + second),
        Err(Invalid::Expired(expiration))
    );
}

#[test]
fn whatever_is_changed_is_refused_and_said() {
    let bogus = || Err(Invalid::Bogus(ID));
    assert_eq!(
        Example::with(|e| e.rrset.rdatas[0].0[3] ^= 1),
        bogus(),
        "data"
    );
    assert_eq!(
        Example::with(|e| e.owner = name("ww.example.net.")),
        bogus(),
        "owner"
    );
    assert_eq!(Example::with(|e| e.flip(7)), bogus(), "original TTL");
    assert_eq!(Example::with(|e| e.flip(40)), bogus(), "signature");
    assert_eq!(
        Example::with(|e| e.flip(1)),
        Err(Invalid::CoversOther(Rtype(0)))
    );
    assert_eq!(
        Example::with(|e| e.rrsig.0[3] = 4),
        Err(Invalid::Labels(4)),
        "above the owner's"
    );
    assert_eq!(
        Example::with(|e| e.rrsig.0[3] = 1),
        Err(Invalid::Labels(1)),
        "a wildcard above the zone"
    );
    assert_eq!(
        Example::with(|e| e.rrsig.0[3] = 2),
        bogus(),
        "a wildcard that was not signed"
    );
    let tag = KeyId { tag: 55649, ..ID };
    assert_eq!(Example::with(|e| e.flip(17)), Err(Invalid::NoSuchKey(tag)));
    assert_eq!(
        Example::with(|e| e.rrsig.0[2] = 16),
        Err(Invalid::Unsupported(KeyId {
            algorithm: 16,
            ..ID
        }))
    );
    assert_eq!(
        Example::with(|e| e.apex = name("net.")),
        Err(Invalid::ForeignSigner(name("example.net.")))
    );
    assert_eq!(
        Example::with(|e| e.owner = name("www.example.org.")),
        Err(Invalid::OwnerOutside)
    );
    assert_eq!(
        Example::with(|e| e.rrsig = Rdata(e.rrsig.0[..20].into())),
        Err(Invalid::Malformed)
    );
    // Expiration before inception: the high octet of the expiration lowered.
    assert_eq!(Example::with(|e| e.rrsig.0[8] = 0), Err(Invalid::Backwards));
}

#[test]
fn keys_that_may_not_sign_zone_data_do_not_count() {
    // (octet, value, what): each changes the tag, which the signature then names.
    for (octet, value, what) in [
        (0, 0, "no ZONE flag"),
        (1, 0x81, "revoked"),
        (2, 2, "protocol"),
    ] {
        let refused = Example::with(|e| {
            e.keys[0].0[octet] = value;
            let tag = crate::dnssec::dnskey::key_tag(&e.keys[0].0).to_be_bytes();
            e.rrsig.0[16..18].copy_from_slice(&tag);
        });
        assert!(
            matches!(refused, Err(Invalid::NotAZoneKey(_))),
            "{what}: {refused:?}"
        );
    }
    assert_eq!(
        Example::with(|e| e.keys.clear()),
        Err(Invalid::NoSuchKey(ID))
    );
}

#[test]
fn the_key_set_is_bound_to_the_ds() {
    let (apex, at) = (name("example.net."), Instant::from_unix(1_283_000_000));
    let keys = Rrset {
        ttl: Ttl(1),
        rdatas: Example::new().keys,
    };
    let ds = |text| vec![rdata(Rtype::DS, text)];
    let right = ds("55648 13 2 b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17");
    let wrong = ds("55648 13 2 b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d18");
    assert_eq!(
        verify_dnskeys(&apex, &keys, &[], &wrong, at),
        Err(NoChain::NoKeyForDs)
    );
    assert_eq!(
        verify_dnskeys(&apex, &keys, &[], &[], at),
        Err(NoChain::NoKeyForDs)
    );
    assert_eq!(
        verify_dnskeys(&apex, &keys, &[], &right, at),
        Err(NoChain::Unsigned)
    );
    let other_type = [Example::new().rrsig];
    assert_eq!(
        verify_dnskeys(&apex, &keys, &other_type, &right, at),
        Err(NoChain::Unsigned)
    );
}
