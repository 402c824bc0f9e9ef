//! A certificate tree in which every field is a choice, and the records that a zone could hold for it.

use crate::der::{bits, extension, int, oid, seq, tlv};
use crate::odd::Odd;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Signer};
use std::fmt::Write as _;

/// 2026-12-20T00:00:00Z, at which trees are judged.
pub(crate) const AT: u64 = 1_797_724_800;

/// splitmix64: the whole tree follows from its seed.
pub(crate) struct Dice(pub u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// True in so many of a hundred.
    pub(crate) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub(crate) fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }

    /// The usual one, or, in so many of a hundred, one of the others.
    fn usually<T: Copy>(&mut self, usual: T, chance: usize, others: &[T]) -> T {
        if self.percent(chance) {
            *self.pick(others)
        } else {
            usual
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rsa,
    /// `id-RSASSA-PSS`.
    Pss,
    Ec,
    Ed,
}

pub(crate) struct Key {
    label: &'static str,
    kind: Kind,
    private: PKey<Private>,
    pub(crate) spki: Vec<u8>,
}

/// Keys of every kind, made once: two of each, so that a wrong one is at hand.
pub(crate) fn keys() -> Vec<Key> {
    let mut keys = Vec::new();
    for _ in 0..2 {
        for (label, size) in [("rsa768", 768), ("rsa1024", 1024), ("rsa2048", 2048)] {
            let key = PKey::from_rsa(Rsa::generate(size).unwrap()).unwrap();
            let spki = key.public_key_to_der().unwrap();
            keys.push(Key {
                label,
                kind: Kind::Rsa,
                private: key,
                spki,
            });
        }
        let rsa = Rsa::generate(2048).unwrap();
        let public = rsa.public_key_to_der_pkcs1().unwrap();
        let spki = seq(&[seq(&[oid("1.2.840.113549.1.1.10")]), bits(&public)]);
        let key = PKey::from_rsa(rsa).unwrap();
        keys.push(Key {
            label: "pss2048",
            kind: Kind::Pss,
            private: key,
            spki,
        });
        for (label, curve) in [
            ("p224", Nid::SECP224R1),
            ("p256", Nid::X9_62_PRIME256V1),
            ("p384", Nid::SECP384R1),
            ("p521", Nid::SECP521R1),
            ("k256", Nid::SECP256K1),
            ("brainpool256", Nid::BRAINPOOL_P256R1),
            ("p192", Nid::X9_62_PRIME192V1),
        ] {
            let group = EcGroup::from_curve_name(curve).unwrap();
            let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
            let spki = key.public_key_to_der().unwrap();
            keys.push(Key {
                label,
                kind: Kind::Ec,
                private: key,
                spki,
            });
        }
        for (label, key) in [
            ("ed25519", PKey::generate_ed25519()),
            ("ed448", PKey::generate_ed448()),
        ] {
            let key = key.unwrap();
            let spki = key.public_key_to_der().unwrap();
            keys.push(Key {
                label,
                kind: Kind::Ed,
                private: key,
                spki,
            });
        }
    }
    keys
}

/// What a certificate says; who signs it is another key and name.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    subject: String,
    issuer: String,
    key: usize,
    signer: usize,
    digest: &'static str,
    salt: u32,
    version: u8,
    from: &'static str,
    until: &'static str,
    basic: Option<(bool, Option<u32>)>,
    usage: Option<u8>,
    extended: Option<&'static str>,
    subject_id: Option<u8>,
    authority_id: Option<u8>,
    unknown: Option<bool>,
    constraints: Option<(bool, &'static str)>,
    names: &'static [&'static str],
    damaged: bool,
    odd: Odd,
}

pub(crate) struct Tree {
    pub(crate) told: String,
    /// What is odd about it, and where.
    pub(crate) odd: String,
    pub(crate) hosts: Vec<&'static str>,
    pub(crate) records: Vec<(u8, u8, u8, Vec<u8>)>,
    /// Leaf first, as sent.
    pub(crate) chain: Vec<Vec<u8>>,
}

const LONG_AGO: &str = "20250101000000Z";
const SOON: &str = "20270601000000Z";
const PASSED: &[&str] = &["20261201000000Z", "20261219235959Z"];
const NAMES: &[&[&str]] = &[
    &["other.example.net"],
    &["MX1.EXAMPLE.COM"],
    &["*.example.com"],
    &["mx1.example.com."],
    &["*.com"],
    &["m*.example.com"],
    &["*.mx1.example.com"],
    &["mx1.*.com"],
    &["other.example.net", "example.com"],
    &["mail:root@example.com"],
    &["mail:root@other.example.net"],
    &["xn--mx1-hoa.example.com"],
    &[],
];

impl Tree {
    pub(crate) fn grow(seed: u64, keys: &[Key]) -> Self {
        Self::grow_with(seed, keys, |dice| {
            let has_one = dice.percent(35);
            has_one.then(|| (dice.below(5), *dice.pick(&Odd::all())))
        })
    }

    /// The same with one odd thing of choice, at so many places above the leaf, or none.
    pub(crate) fn grow_with(
        seed: u64,
        keys: &[Key],
        odd: impl FnOnce(&mut Dice) -> Option<(usize, Odd)>,
    ) -> Self {
        let dice = &mut Dice(seed);
        let depth = 1 + dice.below(4);
        // The root first.
        let mut specs: Vec<Spec> = Vec::new();
        for level in 0..depth {
            let above = specs.last().cloned();
            specs.push(issuer(dice, keys, level, above.as_ref()));
        }
        let leaf = leaf(dice, keys, specs.last());
        specs.push(leaf);
        let mut kind = "nothing odd".to_owned();
        if let Some((place, odd)) = odd(dice) {
            let place = place.min(specs.len() - 1);
            let whose = ["leaf", "its issuer", "further up"];
            kind = format!("{}: {odd}", whose[place.min(2)]);
            let from_top = specs.len() - 1 - place;
            specs[from_top].odd = odd;
        }
        let mut certificates: Vec<Vec<u8>> = specs.iter().map(|spec| encode(spec, keys)).collect();
        let mut told = format!("seed {seed}\n");
        for spec in specs.iter().rev() {
            let _ = writeln!(told, "  {} {spec:?}", keys[spec.key].label);
        }
        certificates.reverse();
        let mut chain = certificates.clone();
        let records = records(dice, &certificates, &specs, keys);
        if dice.percent(30) && chain.len() > 1 {
            chain.pop();
        }
        // The twin of an issuer: the same name and key, signed by another.
        if dice.percent(12) {
            let mut twin = dice.pick(&specs[..specs.len() - 1]).clone();
            twin.issuer = dice.pick(&["CA 0", "CA 1", "stranger"]).to_string();
            twin.signer = dice.below(keys.len());
            twin.digest = "SHA256";
            twin.authority_id = None;
            twin.until = dice.usually(twin.until, 30, PASSED);
            let place = 1 + dice.below(chain.len());
            chain.insert(place, encode(&twin, keys));
            let _ = writeln!(told, "  twin at {place}: {twin:?}");
        }
        if dice.percent(10) && chain.len() > 2 {
            let (a, b) = (
                1 + dice.below(chain.len() - 1),
                1 + dice.below(chain.len() - 1),
            );
            chain.swap(a, b);
            let _ = writeln!(told, "  swapped {a} {b}");
        }
        if dice.percent(4) && chain.len() > 2 {
            let place = 1 + dice.below(chain.len() - 2);
            chain.remove(place);
            let _ = writeln!(told, "  without {place}");
        }
        if dice.percent(4) {
            let again = dice.pick(&chain).clone();
            chain.push(again);
        }
        let mut hosts = vec!["mx1.example.com"];
        if dice.percent(20) {
            hosts.push("example.com");
        }
        let _ = writeln!(told, "  {} sent, hosts {hosts:?}", chain.len());
        for (usage, selector, matching, data) in &records {
            let _ = writeln!(
                told,
                "  {usage} {selector} {matching} of {} octets",
                data.len()
            );
        }
        Self {
            told,
            odd: kind,
            hosts,
            records,
            chain,
        }
    }
}

fn issuer(dice: &mut Dice, keys: &[Key], level: usize, above: Option<&Spec>) -> Spec {
    let key = dice.below(keys.len());
    // Few names: issuers of one name with different keys are the hard part of building paths.
    let subject = format!(
        "CA {}",
        if dice.percent(6) {
            dice.below(3)
        } else {
            level
        }
    );
    let mut spec = Spec {
        issuer: above.map_or_else(|| subject.clone(), |above| above.subject.clone()),
        signer: above.map_or(key, |above| above.key),
        subject,
        key,
        digest: "",
        salt: 0,
        version: dice.usually(3, 3, &[1, 2]),
        from: dice.usually(LONG_AGO, 3, &["20261221000000Z", "20261220000000Z"]),
        until: dice.usually(SOON, 6, PASSED),
        basic: dice.usually(
            Some((true, None)),
            12,
            &[
                None,
                Some((false, None)),
                Some((true, Some(0))),
                Some((true, Some(1))),
            ],
        ),
        usage: dice.usually(
            Some(0x06),
            14,
            &[None, Some(0x80), Some(0x02), Some(0x04), Some(0x86)],
        ),
        extended: dice.usually(
            None,
            8,
            &[
                Some("1.3.6.1.5.5.7.3.1"),
                Some("1.3.6.1.5.5.7.3.2"),
                Some("2.5.29.37.0"),
                Some("1.3.6.1.4.1.311.10.3.3"),
            ],
        ),
        subject_id: dice.usually(Some(key as u8), 12, &[None, Some(200)]),
        authority_id: None,
        unknown: dice.usually(None, 5, &[Some(true), Some(false)]),
        constraints: dice.usually(
            None,
            8,
            &[
                Some((true, "example.com")),
                Some((true, ".example.com")),
                Some((true, "example.net")),
                Some((false, "example.com")),
                Some((true, "mail:example.com")),
                Some((true, "mail:example.net")),
                Some((false, "mail:example.com")),
            ],
        ),
        names: &[],
        damaged: dice.percent(1),
        odd: Odd::default(),
    };
    signed(dice, keys, &mut spec, above);
    spec
}

fn leaf(dice: &mut Dice, keys: &[Key], above: Option<&Spec>) -> Spec {
    let key = dice.below(keys.len());
    let names = dice.usually(&["mx1.example.com"][..], 25, NAMES);
    let subject = dice.usually(
        "mx1.example.com",
        20,
        &[
            "other.example.net",
            "MX1.example.com",
            "*.example.com",
            "mx1.example.com+other.example.net",
            "other.example.net+mx1.example.com",
            "mx1.example.com.",
            "",
        ],
    );
    // GnuTLS holds a wildcard in a common name against name constraints, OpenSSL does not: left out, being in no use.
    let is_constrained = above.is_some_and(|above| above.constraints.is_some());
    let subject = if is_constrained && subject.starts_with('*') {
        "mx1.example.com"
    } else {
        subject
    };
    let mut spec = Spec {
        subject: subject.to_owned(),
        issuer: above.map_or_else(|| subject.to_owned(), |above| above.subject.clone()),
        key,
        signer: above.map_or(key, |above| above.key),
        digest: "",
        salt: 0,
        version: dice.usually(3, 5, &[1, 2]),
        from: dice.usually(LONG_AGO, 3, &["20261221000000Z"]),
        until: dice.usually(SOON, 5, PASSED),
        basic: dice.usually(
            Some((false, None)),
            20,
            &[None, Some((true, None)), Some((true, Some(0)))],
        ),
        usage: dice.usually(
            Some(0x80),
            12,
            &[None, Some(0x06), Some(0x20), Some(0x40), Some(0x08)],
        ),
        extended: dice.usually(
            Some("1.3.6.1.5.5.7.3.1"),
            12,
            &[
                None,
                Some("1.3.6.1.5.5.7.3.2"),
                Some("2.5.29.37.0"),
                Some("2.16.840.1.113730.4.1"),
            ],
        ),
        subject_id: dice.usually(Some(key as u8), 10, &[None, Some(200)]),
        authority_id: None,
        unknown: dice.usually(None, 4, &[Some(true), Some(false)]),
        constraints: None,
        names,
        damaged: dice.percent(1),
        odd: Odd::default(),
    };
    signed(dice, keys, &mut spec, above);
    spec
}

/// How it is signed: by the key above, or rarely by another.
fn signed(dice: &mut Dice, keys: &[Key], spec: &mut Spec, above: Option<&Spec>) {
    if dice.percent(1) {
        spec.signer = dice.below(keys.len());
    }
    if dice.percent(1) {
        "stranger".clone_into(&mut spec.issuer);
    }
    let right = above.map_or(spec.subject_id, |above| above.subject_id);
    spec.authority_id = dice.usually(right, 8, &[None, Some(201), Some(spec.signer as u8)]);
    let digests: &[&str] = match keys[spec.signer].kind {
        Kind::Rsa => &[
            "SHA1", "SHA224", "SHA384", "SHA512", "MD5", "PSS256", "PSS384", "PSS512", "PSS1",
        ],
        Kind::Pss => &["PSS384", "PSS512", "PSS224"],
        Kind::Ec => &["SHA1", "SHA224", "SHA384", "SHA512"],
        Kind::Ed => &[""],
    };
    let usual = match keys[spec.signer].kind {
        Kind::Ed => "",
        Kind::Pss => "PSS256",
        _ => "SHA256",
    };
    spec.digest = dice.usually(usual, 25, digests);
    let is_small = ["rsa768", "rsa1024"].contains(&keys[spec.signer].label);
    let octets = match spec.digest {
        "PSS384" | "PSS512" if is_small => 8,
        "PSS1" => 20,
        "PSS224" => 28,
        "PSS384" => 48,
        "PSS512" => 64,
        _ => 32,
    };
    spec.salt = dice.usually(octets, 20, &[0, 20, 8]);
}

fn records(
    dice: &mut Dice,
    certificates: &[Vec<u8>],
    specs: &[Spec],
    keys: &[Key],
) -> Vec<(u8, u8, u8, Vec<u8>)> {
    let mut records = Vec::new();
    let count = 1 + usize::from(dice.percent(30)) + usize::from(dice.percent(15));
    for _ in 0..count {
        let usage = dice.usually(2, 20, &[3]);
        // Anchors are issuers; now and then somebody takes the leaf, or takes an issuer for the leaf.
        let place = if (usage == 2) == dice.percent(95) {
            1 + dice.below(certificates.len() - 1)
        } else {
            0
        };
        let (selector, matching) = (dice.below(2) as u8, dice.below(3) as u8);
        let selected = match selector {
            0 => certificates[place].clone(),
            _ => keys[specs[specs.len() - 1 - place].key].spki.clone(),
        };
        let mut data = match matching {
            0 => selected,
            1 => openssl::sha::sha256(&selected).to_vec(),
            _ => openssl::sha::sha512(&selected).to_vec(),
        };
        if dice.percent(6) {
            let last = data.len() - 1;
            data[last] ^= 1;
        }
        if dice.percent(2) {
            data.pop();
        }
        records.push((usage, selector, matching, data));
    }
    records
}

fn encode(spec: &Spec, keys: &[Key]) -> Vec<u8> {
    let algorithm = algorithm(spec, &keys[spec.signer]);
    let mut parts = Vec::new();
    let version = spec.odd.version(spec.version);
    if version > 1 {
        parts.push(tlv(0xa0, &int(u32::from(version) - 1)));
    }
    let serial = int(1 + spec.key as u32 * 251 + u32::from(spec.version));
    parts.push(spec.odd.serial(serial));
    parts.push(spec.odd.inner(algorithm.clone()));
    parts.push(crate::der::name(&spec.issuer));
    parts.push(spec.odd.validity(spec.from, spec.until));
    parts.push(spec.odd.name(&spec.subject));
    parts.push(keys[spec.key].spki.clone());
    let extensions = extensions(spec);
    let may_have = spec.version == 3 || spec.odd.has_extensions_anyway();
    if may_have && !extensions.is_empty() {
        parts.push(tlv(0xa3, &seq(&extensions)));
    }
    let body = seq(&parts);
    let mut signature = sign(spec, &keys[spec.signer], &body);
    if spec.damaged {
        let middle = signature.len() / 2;
        signature[middle] ^= 0x10;
    }
    seq(&[body, algorithm, bits(&signature)])
}

fn extensions(spec: &Spec) -> Vec<Vec<u8>> {
    let mut list = Vec::new();
    if let Some((ca, path)) = spec.basic {
        let mut parts = Vec::new();
        if ca {
            parts.push(tlv(1, &[0xff]));
        }
        parts.extend(path.map(int));
        list.push(extension("2.5.29.19", true, &seq(&parts)));
    }
    if let Some(usage) = spec.usage {
        let unused = usage.trailing_zeros() as u8;
        list.push(extension("2.5.29.15", true, &tlv(3, &[unused, usage])));
    }
    if let Some(purpose) = spec.extended {
        list.push(extension("2.5.29.37", false, &seq(&[oid(purpose)])));
    }
    if let Some(id) = spec.subject_id {
        list.push(extension("2.5.29.14", false, &tlv(4, &[id; 20])));
    }
    if let Some(id) = spec.authority_id {
        list.push(extension("2.5.29.35", false, &seq(&[tlv(0x80, &[id; 20])])));
    }
    if let Some(critical) = spec.unknown {
        list.push(extension("1.3.6.1.4.1.99999.1", critical, &tlv(5, &[])));
    }
    let general = |name: &str| match name.strip_prefix("mail:") {
        Some(mail) => tlv(0x81, mail.as_bytes()),
        None => tlv(0x82, name.as_bytes()),
    };
    if let Some((permitted, name)) = spec.constraints {
        let tag = if permitted { 0xa0 } else { 0xa1 };
        list.push(extension(
            "2.5.29.30",
            true,
            &seq(&[tlv(tag, &seq(&[general(name)]))]),
        ));
    }
    if !spec.names.is_empty() {
        let names: Vec<Vec<u8>> = spec.names.iter().map(|name| general(name)).collect();
        list.push(extension("2.5.29.17", false, &seq(&names)));
    }
    spec.odd.extensions(&mut list);
    list
}

fn digest(name: &str) -> (MessageDigest, &'static str) {
    match name.trim_start_matches("PSS").trim_start_matches("SHA") {
        "1" => (MessageDigest::sha1(), "1.3.14.3.2.26"),
        "224" => (MessageDigest::sha224(), "2.16.840.1.101.3.4.2.4"),
        "384" => (MessageDigest::sha384(), "2.16.840.1.101.3.4.2.2"),
        "512" => (MessageDigest::sha512(), "2.16.840.1.101.3.4.2.3"),
        "MD5" => (MessageDigest::md5(), ""),
        _ => (MessageDigest::sha256(), "2.16.840.1.101.3.4.2.1"),
    }
}

fn algorithm(spec: &Spec, signer: &Key) -> Vec<u8> {
    let null = tlv(5, &[]);
    if spec.digest.starts_with("PSS") {
        let hash = seq(&[oid(digest(spec.digest).1), null]);
        let mask = seq(&[oid("1.2.840.113549.1.1.8"), hash.clone()]);
        let parameters = seq(&[
            tlv(0xa0, &hash),
            tlv(0xa1, &mask),
            tlv(0xa2, &int(spec.salt)),
        ]);
        return seq(&[oid("1.2.840.113549.1.1.10"), parameters]);
    }
    let of = |rsa: &str, ec: &str| match signer.kind {
        Kind::Ec => seq(&[oid(ec)]),
        _ => seq(&[oid(rsa), null.clone()]),
    };
    match (signer.kind, spec.digest) {
        (Kind::Ed, _) if signer.label == "ed25519" => seq(&[oid("1.3.101.112")]),
        (Kind::Ed, _) => seq(&[oid("1.3.101.113")]),
        (_, "SHA1") => of("1.2.840.113549.1.1.5", "1.2.840.10045.4.1"),
        (_, "SHA224") => of("1.2.840.113549.1.1.14", "1.2.840.10045.4.3.1"),
        (_, "SHA384") => of("1.2.840.113549.1.1.12", "1.2.840.10045.4.3.3"),
        (_, "SHA512") => of("1.2.840.113549.1.1.13", "1.2.840.10045.4.3.4"),
        (_, "MD5") => of("1.2.840.113549.1.1.4", "1.2.840.10045.4.1"),
        _ => of("1.2.840.113549.1.1.11", "1.2.840.10045.4.3.2"),
    }
}

fn sign(spec: &Spec, signer: &Key, body: &[u8]) -> Vec<u8> {
    if signer.kind == Kind::Ed {
        let mut signing = Signer::new_without_digest(&signer.private).unwrap();
        return signing.sign_oneshot_to_vec(body).unwrap();
    }
    let (hash, _) = digest(spec.digest);
    let mut signing = Signer::new(hash, &signer.private).unwrap();
    if spec.digest.starts_with("PSS") {
        signing.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
        signing
            .set_rsa_pss_saltlen(RsaPssSaltlen::custom(spec.salt as i32))
            .unwrap();
        signing.set_rsa_mgf1_md(hash).unwrap();
    }
    signing.update(body).unwrap();
    signing.sign_to_vec().unwrap()
}
