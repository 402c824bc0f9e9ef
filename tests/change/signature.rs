//! Our judgement of signatures beside that of the real ssh-keygen, and the digest of a zone beside that of ldns.

use crate::lab::{Lab, NOW};
use data_encoding::BASE64;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use tlsa_rotate::change::allowed_signers::AllowedSigners;
use tlsa_rotate::change::digest::ZoneDigest;
use tlsa_rotate::change::judgement::{Terms, authenticate};
use tlsa_rotate::change::proposal::{NAMESPACE, Signed};
use tlsa_rotate::change::revoked::Revoked;
use tlsa_rotate::change::sshsig::{BEGIN, Signature};
use tlsa_rotate::rotation::timing::{Instant, Span};
use tlsa_rotate::zone::content::Zone;

/// [`NOW`], as an instant and as ssh-keygen wants it.
const AT: u64 = 1_795_507_200;
const VERIFY_TIME: &str = "verify-time=20261124080000Z";

/// Whether ssh-keygen accepts the signature at the end of `file`, over what stands in front of it.
fn ssh_keygen_accepts(lab: &Lab, file: &str, list: &str, who: &str) -> bool {
    let text = lab.read(file);
    let (body, signature) = text.split_at(text.find(BEGIN).unwrap());
    lab.write("body", body);
    lab.write("body.sig", signature);
    let script =
        "exec ssh-keygen -Y verify -O \"$1\" -f \"$2\" -I \"$3\" -n \"$4\" -s body.sig < body";
    let arguments = ["-c", script, "sh", VERIFY_TIME, list, who, NAMESPACE];
    lab.command("sh", &arguments).status.success()
}

fn we_accept(lab: &Lab, file: &str, list: &str, who: &str) -> Result<(), String> {
    let list = AllowedSigners::parse(&lab.read(list));
    let signed = Signed::parse(lab.read(file).as_bytes()).map_err(|e| e.to_string())?;
    let terms = Terms {
        identity: Some(who),
        revoked: &Revoked::default(),
        longest: Span::days(31),
        now: Instant::from_unix(AT),
    };
    let judged = authenticate(&signed, &list, terms);
    judged.map(|_| ()).map_err(|e| e.to_string())
}

#[test]
fn every_kind_of_key_and_line_is_judged_as_ssh_keygen_does() {
    assert_eq!(Instant::from_unix(AT).to_string(), NOW);
    let lab = Lab::new();
    lab.ssh_key("p256", &["-t", "ecdsa", "-b", "256"]);
    lab.ssh_key("p384", &["-t", "ecdsa", "-b", "384"]);
    lab.ssh_key("rsa", &["-t", "rsa", "-b", "2048"]);
    let text = lab.read("proposal");
    let body = text.split_at(text.find(BEGIN).unwrap()).0;
    for key in ["p256", "p384", "rsa"] {
        lab.write("text", body);
        let _ = std::fs::remove_file(lab.path("text.sig"));
        lab.run(
            "ssh-keygen",
            &["-q", "-Y", "sign", "-f", key, "-n", NAMESPACE, "text"],
        );
        lab.write(
            &format!("by-{key}"),
            &(body.to_owned() + &lab.read("text.sig")),
        );
    }
    let op = lab.public("op");
    let [p256, p384, rsa] = ["p256", "p384", "rsa"].map(|k| lab.public(k));
    let table: [(&str, String, &str, bool); 22] = [
        ("proposal", format!("alice {op}"), "alice", true),
        ("by-p256", format!("alice {p256} a comment"), "alice", true),
        ("by-p384", format!("alice {p384}"), "alice", true),
        ("by-rsa", format!("alice {rsa}"), "alice", true),
        ("by-rsa", format!("alice {op}"), "alice", false),
        (
            "proposal",
            format!("# c\n\nbob {rsa}\nalice {op}"),
            "alice",
            true,
        ),
        ("proposal", format!("bob {op}\nalice {rsa}"), "alice", false),
        (
            "proposal",
            format!("*@example.com {op}"),
            "a@example.com",
            true,
        ),
        (
            "proposal",
            format!("*@example.com,!a@* {op}"),
            "a@example.com",
            false,
        ),
        ("proposal", format!("\"a,b\" {op}"), "b", true),
        (
            "proposal",
            format!("a namespaces=\"file\" {op}"),
            "a",
            false,
        ),
        (
            "proposal",
            format!("a namespaces=\"file,tlsa-*\" {op}"),
            "a",
            true,
        ),
        (
            "proposal",
            format!("a namespaces=\"*,!tlsa-*\" {op}"),
            "a",
            false,
        ),
        ("proposal", format!("a NAMESPACES=\"*\" {op}"), "a", true),
        (
            "proposal",
            format!("a valid-after=\"20261124080000Z\" {op}"),
            "a",
            true,
        ),
        (
            "proposal",
            format!("a valid-after=\"20261124080001Z\" {op}"),
            "a",
            false,
        ),
        (
            "proposal",
            format!("a valid-before=\"202611240800Z\" {op}"),
            "a",
            true,
        ),
        (
            "proposal",
            format!("a valid-before=\"20261124Z\" {op}"),
            "a",
            false,
        ),
        (
            "proposal",
            format!("a valid-after=\"20260101Z\",valid-before=\"20270101Z\",namespaces=\"*\" {op}"),
            "a",
            true,
        ),
        ("proposal", format!("a cert-authority {op}"), "a", false),
        ("proposal", format!("a nonsense {op}"), "a", false),
        ("proposal", "a ssh-ed25519 AAAA".to_owned(), "a", false),
    ];
    for (file, list, who, expected) in table {
        lab.write("list", &format!("{list}\n"));
        let ours = we_accept(&lab, file, "list", who);
        assert_eq!(ours.is_ok(), expected, "ours: {file} {list}: {ours:?}");
        assert_eq!(
            ssh_keygen_accepts(&lab, file, "list", who),
            expected,
            "ssh-keygen: {file} {list}"
        );
    }
}

#[test]
fn a_signature_for_another_purpose_does_not_count() {
    let lab = Lab::new();
    let text = lab.read("proposal");
    let body = text.split_at(text.find(BEGIN).unwrap()).0;
    lab.write("text", body);
    lab.run(
        "ssh-keygen",
        &["-q", "-Y", "sign", "-f", "op", "-n", "git", "text"],
    );
    lab.write("for-git", &(body.to_owned() + &lab.read("text.sig")));
    let ours = we_accept(&lab, "for-git", "allowed", "alice@example.com");
    assert!(
        ours.as_ref().is_err_and(|e| e.contains("signed for `git`")),
        "{ours:?}"
    );
    assert!(!ssh_keygen_accepts(
        &lab,
        "for-git",
        "allowed",
        "alice@example.com"
    ));
}

#[test]
fn one_changed_octet_is_refused_by_both() {
    let lab = Lab::new();
    let text = lab.read("proposal").into_bytes();
    let accepts = |file: &str| {
        let who = "alice@example.com";
        (
            we_accept(&lab, file, "allowed", who).is_ok(),
            ssh_keygen_accepts(&lab, file, "allowed", who),
        )
    };
    assert_eq!(accepts("proposal"), (true, true));
    let begin = lab.read("proposal").find(BEGIN).unwrap();
    for at in (0..begin).step_by(begin / 40) {
        let mut changed = text.clone();
        changed[at] = if changed[at] == b'1' { b'2' } else { b'1' };
        std::fs::write(lab.path("changed"), &changed).unwrap();
        assert_eq!(accepts("changed"), (false, false), "octet {at}");
    }
    // In the signature: the key, the namespace, the hash, the signature itself.
    let first = begin + BEGIN.len() + 1;
    for at in (first + 9..text.len() - 40).step_by(11) {
        let mut changed = text.clone();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        if changed[at] != text[at] && text[at] != b'\n' {
            std::fs::write(lab.path("changed"), &changed).unwrap();
            assert_eq!(accepts("changed"), (false, false), "octet {at}");
        }
    }
}

type Sign<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;

fn string(out: &mut Vec<u8>, octets: &[u8]) {
    out.extend(u32::try_from(octets.len()).unwrap().to_be_bytes());
    out.extend(octets);
}

/// What a security token would sign for `message`, and the signature in wire form (PROTOCOL.u2f).
fn token(kind: &str, message: &[u8], flags: u8, sign: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let sha256 = |octets: &[u8]| ring::digest::digest(&ring::digest::SHA256, octets);
    let counter = [flags, 0, 0, 1, 2];
    let signed = [sha256(b"ssh:").as_ref(), &counter, sha256(message).as_ref()].concat();
    let mut signature = Vec::new();
    string(&mut signature, kind.as_bytes());
    string(&mut signature, &sign(&signed));
    signature.extend(counter);
    signature
}

#[test]
fn signatures_of_security_tokens_are_judged_as_ssh_keygen_does() {
    let lab = Lab::new();
    let text = lab.read("proposal");
    let body = text.split_at(text.find(BEGIN).unwrap()).0.to_owned();
    let random = SystemRandom::new();
    let ed25519 =
        Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&random).unwrap().as_ref())
            .unwrap();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let ecdsa = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
    let number = |octets: &[u8]| {
        let kept: Vec<u8> = octets.iter().copied().skip_while(|o| *o == 0).collect();
        let zero = if kept[0] >= 0x80 { &[0][..] } else { &[] };
        [zero, &kept].concat()
    };
    let by_ecdsa = |message: &[u8]| {
        let fixed = ecdsa.sign(&random, message).unwrap();
        let (r, s) = fixed.as_ref().split_at(32);
        let mut both = Vec::new();
        string(&mut both, &number(r));
        string(&mut both, &number(s));
        both
    };
    let by_ed25519 = |message: &[u8]| ed25519.sign(message).as_ref().to_vec();
    let kinds: [(&str, Vec<&[u8]>, Sign<'_>); 2] = [
        (
            "sk-ssh-ed25519@openssh.com",
            vec![ed25519.public_key().as_ref()],
            &by_ed25519,
        ),
        (
            "sk-ecdsa-sha2-nistp256@openssh.com",
            vec![b"nistp256", ecdsa.public_key().as_ref()],
            &by_ecdsa,
        ),
    ];
    for (kind, fields, sign) in kinds {
        let mut key = Vec::new();
        string(&mut key, kind.as_bytes());
        for field in fields {
            string(&mut key, field);
        }
        string(&mut key, b"ssh:");
        lab.write("list", &format!("a {kind} {}\n", BASE64.encode(&key)));
        let sealed = |flags: u8| {
            let hash = ring::digest::digest(&ring::digest::SHA512, body.as_bytes());
            let mut rest = Vec::new();
            for field in [NAMESPACE.as_bytes(), b"", b"sha512"] {
                string(&mut rest, field);
            }
            let mut message = b"SSHSIG".to_vec();
            message.extend(&rest);
            string(&mut message, hash.as_ref());
            let mut octets = b"SSHSIG\0\0\0\x01".to_vec();
            string(&mut octets, &key);
            octets.extend(&rest);
            string(&mut octets, &token(kind, &message, flags, sign));
            let base64 = BASE64.encode(&octets);
            let lines: Vec<&str> = base64
                .as_bytes()
                .chunks(70)
                .map(|l| std::str::from_utf8(l).unwrap())
                .collect();
            let armoured = format!(
                "{BEGIN}\n{}\n-----END SSH SIGNATURE-----\n",
                lines.join("\n")
            );
            assert_eq!(Signature::parse(&armoured).unwrap().armoured(), armoured);
            lab.write("by-token", &format!("{body}{armoured}"));
        };
        sealed(1);
        assert_eq!(we_accept(&lab, "by-token", "list", "a"), Ok(()), "{kind}");
        assert!(ssh_keygen_accepts(&lab, "by-token", "list", "a"), "{kind}");
        // Without a touch: ours refuses, whatever ssh-keygen thinks of it.
        sealed(0);
        let untouched = we_accept(&lab, "by-token", "list", "a");
        assert!(
            untouched.as_ref().is_err_and(|e| e.contains("touch")),
            "{untouched:?}"
        );
    }
}

#[test]
fn the_documented_commands_check_a_proposal() {
    let lab = Lab::new();
    let documentation = include_str!("../../src/change/proposal.rs");
    let commands: Vec<String> = documentation
        .lines()
        .filter_map(|line| line.strip_prefix("//! "))
        .filter(|line| line.starts_with("sed ") || line.starts_with("ssh-keygen "))
        .map(|line| {
            line.replace("FILE", "proposal")
                .replace("allowed_signers", "allowed")
        })
        .collect();
    assert_eq!(commands.len(), 3);
    let said = lab.run("sh", &["-ec", &commands.join("\n")]);
    assert!(
        said.starts_with("Good \"tlsa-rotate-change@tlsa-rotate\" signature for alice@example.com"),
        "{said}"
    );
}

#[test]
fn the_digest_of_a_zone_is_the_one_that_ldns_computes() {
    let lab = Lab::unsigned();
    lab.ours(&["key", "generate", "example.com", "--keys", "keys"]);
    let key = lab.run("sh", &["-c", "echo keys/K*.key"]);
    let key = key.trim().trim_end_matches(".key");
    let plain = ["-z", "simple:sha384", "-f"];
    lab.run(
        "ldns-signzone",
        &[&["-Z"], &plain[..], &["plain", "zone"]].concat(),
    );
    lab.run(
        "ldns-signzone",
        &[&plain[..], &["signed", "zone", key]].concat(),
    );
    for file in ["plain", "signed"] {
        let zone = Zone::parse(&std::fs::read(lab.path(file)).unwrap(), None).unwrap();
        let text = lab.read(file);
        let line = text
            .lines()
            .find(|line| line.contains("\tZONEMD\t"))
            .unwrap();
        let wanted = line.rsplit(' ').next().unwrap();
        assert_eq!(ZoneDigest::of(&zone).to_string(), wanted, "{file}");
        assert_eq!(ZoneDigest::parse(wanted), Some(ZoneDigest::of(&zone)));
    }
}
