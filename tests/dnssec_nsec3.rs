//! An NSEC3 chain with one thing wrong is refused, though every signature holds; what must not be signed so is not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod dnssec_support;

use dnssec_support::signed::{
    every_record_is_missed, example, judged, key, name, policy, sign_one,
};
use tlsa_rotate::dnssec::algorithm::Algorithm;
use tlsa_rotate::dnssec::denial::Denial;
use tlsa_rotate::dnssec::finding::Fault;
use tlsa_rotate::dnssec::keys::SigningKey;
use tlsa_rotate::dnssec::keystore::Role;
use tlsa_rotate::dnssec::nsec3::{Hash, Hashing, hash_of_owner, label_of_hash};
use tlsa_rotate::dnssec::rrsig::Rrsig;
use tlsa_rotate::dnssec::sign::{SignError, SigningPolicy, sign};
use tlsa_rotate::dnssec::{Earlier, Undeniable};
use tlsa_rotate::zone::content::Zone;
use tlsa_rotate::zone::name::Name;
use tlsa_rotate::zone::record::{Rdata, Rtype};

/// Where the next hash begins in NSEC3 data without salt: after algorithm, flags, iterations, two length octets.
const NEXT: usize = 6;

/// Where its type bitmap begins.
const TYPES: usize = NEXT + 20;

fn csk() -> SigningKey {
    key(Algorithm::Ed25519, Role::Csk)
}

fn try_hashed(
    zone: &Zone,
    key: &SigningKey,
    hashing: Hashing,
    opt_out: bool,
) -> Result<Zone, SignError> {
    let policy = SigningPolicy {
        denial: Denial::Nsec3 { hashing, opt_out },
        ..policy()
    };
    let keys = std::slice::from_ref(key);
    sign(zone, keys, Earlier::default(), &policy).map(|signed| signed.zone)
}

fn hashed(zone: &Zone, key: &SigningKey) -> Zone {
    try_hashed(zone, key, Hashing::default(), false).unwrap()
}

fn faults(zone: &Zone) -> Vec<Fault> {
    let findings = judged(zone).err().unwrap_or_default();
    findings.into_iter().map(|finding| finding.fault).collect()
}

fn links(zone: &Zone) -> Vec<Name> {
    let linked = |(owner, node): (&Name, &_)| holds(node, Rtype::NSEC3).then(|| owner.clone());
    zone.nodes.iter().filter_map(linked).collect()
}

fn holds(node: &tlsa_rotate::zone::content::Node, rtype: Rtype) -> bool {
    node.contains_key(&rtype)
}

fn owner_of(zone: &Zone, plain: &str) -> Name {
    let hash = Hashing::default().hash_canonical(&name(plain).canonical());
    zone.apex.child(label_of_hash(&hash).as_bytes()).unwrap()
}

/// The zone with one record of the chain changed, and signed again: nothing but the chain itself can tell.
fn relinked(
    zone: &Zone,
    key: &SigningKey,
    owner: &Name,
    change: impl FnOnce(&mut Vec<u8>),
) -> Zone {
    let mut zone = zone.clone();
    let node = zone.nodes.get_mut(owner).unwrap();
    let rdatas = &mut node.get_mut(&Rtype::NSEC3).unwrap().rdatas;
    let mut octets = rdatas[0].0.to_vec();
    change(&mut octets);
    rdatas[0] = Rdata(octets.into());
    resigned(zone, key, owner, Rtype::NSEC3)
}

fn resigned(mut zone: Zone, key: &SigningKey, owner: &Name, rtype: Rtype) -> Zone {
    let node = zone.nodes.get_mut(owner).unwrap();
    let others = |rdata: &Rdata| Rrsig::covered_by(rdata) != Some(rtype);
    node.get_mut(&Rtype::RRSIG).unwrap().rdatas.retain(others);
    sign_one(&mut zone, key, &owner.to_string(), rtype);
    zone
}

/// The zone without one record of the chain, which is closed again around the gap.
fn unlinked(zone: &Zone, key: &SigningKey, owner: &Name, flags: u8) -> Zone {
    let links = links(zone);
    let at = links.iter().position(|link| link == owner).unwrap();
    let before = &links[(at + links.len() - 1) % links.len()];
    let next = zone.rrset(owner, Rtype::NSEC3).unwrap().rdatas[0].0[NEXT..TYPES].to_vec();
    let mut zone = relinked(zone, key, before, |octets| {
        octets[1] = flags;
        octets[NEXT..TYPES].copy_from_slice(&next);
    });
    zone.nodes.remove(owner);
    zone
}

#[test]
fn dropping_any_record_that_is_signed_or_needed_is_noticed() {
    let zone = hashed(&example(), &csk());
    let summary = judged(&zone).unwrap();
    assert_eq!(summary.rrsets, summary.signatures);
    assert_eq!(
        (summary.chain, summary.opt_out),
        (links(&zone).len(), false)
    );
    // Sixteen names that hold something of the zone's, delegations too, and thirteen empty non-terminals.
    assert_eq!(summary.chain, 16 + 13);
    every_record_is_missed(&zone);
}

#[test]
fn any_link_taken_out_is_noticed_though_the_chain_is_closed_again() {
    let key = csk();
    let zone = hashed(&example(), &key);
    for owner in links(&zone) {
        let mut gone = zone.clone();
        gone.nodes.remove(&owner);
        let found = faults(&gone);
        assert!(
            found.contains(&Fault::NoNsec3) && found.contains(&Fault::WrongNextHash),
            "{found:?}"
        );
        assert_eq!(
            faults(&unlinked(&zone, &key, &owner, 0)),
            [Fault::NoNsec3],
            "{owner}"
        );
    }
}

#[test]
fn any_octet_and_any_type_bit_of_a_link_matters_though_its_signature_holds() {
    let key = csk();
    let zone = hashed(&example(), &key);
    for owner in links(&zone).iter().step_by(5) {
        let length = zone.rrset(owner, Rtype::NSEC3).unwrap().rdatas[0].0.len();
        for octet in 0..length {
            // Every bit of the types. The lowest of the flags alone, opt-out over a span that hides nothing, is allowed.
            let bits = if octet < TYPES { 1..2 } else { 0..8 };
            for bit in bits {
                let broken = relinked(&zone, &key, owner, |octets| octets[octet] ^= 1 << bit);
                assert!(
                    judged(&broken).is_err(),
                    "{owner}: octet {octet}, bit {bit}"
                );
            }
        }
    }
    let apex = owner_of(&zone, "example.com.");
    let table: [(&str, usize, u8, Fault); 6] = [
        ("hash algorithm", 0, 2, Fault::BrokenNsec3),
        ("unknown flag", 1, 2, Fault::BrokenNsec3),
        ("iterations", 3, 1, Fault::Nsec3OfNoChain),
        ("length of the hash", 5, 19, Fault::BrokenNsec3),
        ("next hash", NEXT, 0, Fault::WrongNextHash),
        // NS is type 2, whose bit is 0x20 of the first octet of the first window.
        (
            "a type gone",
            TYPES + 2,
            0x02,
            Fault::WrongTypes(vec![Rtype::NS], vec![]),
        ),
    ];
    for (what, at, value, fault) in table {
        let broken = relinked(&zone, &key, &apex, |octets| {
            octets[at] = if at == NEXT { octets[at] ^ 1 } else { value };
        });
        assert!(
            faults(&broken).contains(&fault),
            "{what}: {:?}",
            faults(&broken)
        );
    }
}

#[test]
fn links_that_belong_to_no_name_are_noticed() {
    let key = csk();
    let zone = hashed(&example(), &key);
    // A record for a hash that no name has, threaded into the chain.
    let links_before = links(&zone);
    let before = &links_before[0];
    let stray: Hash = {
        let mut hash = Hash::try_from(hash_of_owner(before).unwrap()).unwrap();
        hash[19] = hash[19].wrapping_add(1);
        hash
    };
    let template = zone.rrset(before, Rtype::NSEC3).unwrap().clone();
    let mut threaded = relinked(&zone, &key, before, |octets| {
        octets[NEXT..TYPES].copy_from_slice(&stray);
    });
    let owner = zone.apex.child(label_of_hash(&stray).as_bytes()).unwrap();
    let node = threaded.nodes.entry(owner.clone()).or_default();
    node.insert(Rtype::NSEC3, template.clone());
    sign_one(&mut threaded, &key, &owner.to_string(), Rtype::NSEC3);
    assert_eq!(faults(&threaded), [Fault::StrayNsec3]);
    // One that is not where NSEC3 records stand.
    for place in [
        "www.example.com.",
        "x.0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example.com.",
    ] {
        let mut displaced = zone.clone();
        let node = displaced.nodes.entry(name(place)).or_default();
        node.insert(Rtype::NSEC3, template.clone());
        sign_one(&mut displaced, &key, place, Rtype::NSEC3);
        assert!(faults(&displaced).contains(&Fault::StrayNsec3), "{place}");
    }
    // Two of one hash.
    let mut twice = zone.clone();
    let rdatas = &mut twice
        .nodes
        .get_mut(before)
        .unwrap()
        .get_mut(&Rtype::NSEC3)
        .unwrap()
        .rdatas;
    let mut other = rdatas[0].0.to_vec();
    other[NEXT] ^= 1;
    rdatas.push(Rdata(other.into()));
    let twice = resigned(twice, &key, before, Rtype::NSEC3);
    assert!(faults(&twice).contains(&Fault::BrokenNsec3));
    // And an NSEC chain beside it that is not whole.
    let mut both = zone.clone();
    let rdata = Rdata::from_text(Rtype::NSEC, b"example.com. A", None).unwrap();
    let ttl = template.ttl;
    let rrset = tlsa_rotate::zone::content::Rrset {
        ttl,
        rdatas: vec![rdata],
    };
    both.nodes
        .get_mut(&name("www.example.com."))
        .unwrap()
        .insert(Rtype::NSEC, rrset);
    sign_one(&mut both, &key, "www.example.com.", Rtype::NSEC);
    assert!(faults(&both).contains(&Fault::NoNsec));
}

#[test]
fn the_parameters_must_be_those_of_the_chain() {
    let key = csk();
    let zone = hashed(&example(), &key);
    let with_parameters = |rdata: &[u8]| {
        let mut zone = zone.clone();
        let apex = zone.apex.clone();
        let node = zone.nodes.get_mut(&apex).unwrap();
        node.get_mut(&Rtype::NSEC3PARAM).unwrap().rdatas = vec![Rdata(rdata.into())];
        faults(&resigned(zone, &key, &apex, Rtype::NSEC3PARAM))
    };
    assert_eq!(with_parameters(&[1, 0, 0, 0, 0]), []);
    for (rdata, fault) in [
        (&[1, 0, 0, 1, 0][..], Fault::NoNsec3),
        (&[1, 0, 0, 0, 1, 7], Fault::Nsec3OfNoChain),
        (&[2, 0, 0, 0, 0], Fault::BrokenNsec3Param),
        (&[1, 1, 0, 0, 0], Fault::BrokenNsec3Param),
        (&[1, 0, 0], Fault::BrokenNsec3Param),
        (&[1, 0, 0, 51, 0], Fault::Iterations(51)),
    ] {
        let found = with_parameters(rdata);
        assert!(found.contains(&fault), "{rdata:?}: {found:?}");
    }
    let mut none = zone.clone();
    none.nodes
        .get_mut(&zone.apex)
        .unwrap()
        .remove(&Rtype::NSEC3PARAM);
    assert!(faults(&none).contains(&Fault::NoNsec3Param));
}

#[test]
fn opt_out_hides_delegations_without_ds_and_nothing_else() {
    let key = csk();
    let zone = hashed(&example(), &key);
    let out = |plain: &str, flags| faults(&unlinked(&zone, &key, &owner_of(&zone, plain), flags));
    assert_eq!(out("sub.example.com.", 1), []);
    assert_eq!(out("sub.example.com.", 0), [Fault::NoNsec3]);
    // They only lead to a delegation without DS.
    assert_eq!(out("ent.example.com.", 1), []);
    assert_eq!(out("with.ent.example.com.", 1), []);
    for needed in [
        "secure.example.com.",
        "www.example.com.",
        "c.example.com.",
        "wild.example.com.",
    ] {
        assert_eq!(out(needed, 1), [Fault::NoNsec3], "{needed}");
    }
    // Signed so from the start: refused for TLSA, and right without.
    let refused = try_hashed(&example(), &key, Hashing::default(), true);
    assert!(matches!(
        refused,
        Err(SignError::Denial(Undeniable::OptOut(_)))
    ));
    let mut unaware = example();
    unaware.nodes.remove(&name("_25._tcp.mx1.example.com."));
    let zone = try_hashed(&unaware, &key, Hashing::default(), true).unwrap();
    assert!(judged(&zone).unwrap().opt_out);
    let linked = links(&zone);
    for (plain, present) in [
        ("sub.example.com.", false),
        ("ent.example.com.", false),
        ("cut.with.ent.example.com.", false),
        ("secure.example.com.", true),
        ("wild.example.com.", true),
    ] {
        assert_eq!(linked.contains(&owner_of(&zone, plain)), present, "{plain}");
    }
}

#[test]
fn parameters_that_validators_refuse_are_not_signed_with() {
    let with = |iterations, salt: usize| {
        let hashing = Hashing {
            iterations,
            salt: vec![7; salt],
        };
        try_hashed(&example(), &csk(), hashing, false)
    };
    assert!(judged(&with(50, 255).unwrap()).is_ok());
    let refused = |made: Result<Zone, SignError>| match made {
        Err(SignError::Denial(why)) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(with(51, 0)), Undeniable::Iterations(51));
    assert_eq!(refused(with(0, 256)), Undeniable::Salt(256));
}

#[test]
fn changing_the_denial_keeps_every_other_signature() {
    let keys = [csk()];
    let to = |denial: &Denial, earlier: Option<&Zone>| {
        let policy = SigningPolicy {
            denial: denial.clone(),
            ..policy()
        };
        let earlier = Earlier {
            zone: earlier,
            ..Earlier::default()
        };
        let signed = sign(&example(), &keys, earlier, &policy).unwrap();
        judged(&signed.zone).unwrap();
        signed
    };
    let nsec3 = Denial::Nsec3 {
        hashing: Hashing::default(),
        opt_out: false,
    };
    let plain = to(&Denial::Nsec, None).zone;
    let hashed = to(&nsec3, Some(&plain));
    let of_denial = [Rtype::NSEC, Rtype::NSEC3, Rtype::NSEC3PARAM];
    assert!(
        hashed
            .made
            .iter()
            .all(|(_, rtype)| of_denial.contains(rtype))
    );
    let back = to(&Denial::Nsec, Some(&hashed.zone));
    assert!(back.made.iter().all(|(_, rtype)| of_denial.contains(rtype)));
    assert_eq!(back.zone, plain);
    assert_eq!(to(&nsec3, Some(&hashed.zone)).made, []);
}
