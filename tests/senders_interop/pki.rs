//! The certificates that mail hosts present, made with OpenSSL: a CA, leaves of two keys, odd ones, and their digests.

use crate::world::World;
use std::collections::BTreeMap;

/// Chains of a root of their own, each with one thing that senders may stumble over: the root's extensions and days, the leaf's
/// digest, key and extensions beside its names. The whole chain is sent.
pub const ODD: [(&str, &str, &str, &str, &str, &str); 12] = [
    ("plain", ROOT, "30", "sha256", "P-256", LEAF),
    ("old-root", ROOT, "-1", "sha256", "P-256", LEAF),
    (
        "no-sign",
        "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,digitalSignature",
        "30",
        "sha256",
        "P-256",
        LEAF,
    ),
    (
        "not-ca",
        "basicConstraints=critical,CA:FALSE",
        "30",
        "sha256",
        "P-256",
        LEAF,
    ),
    (
        "for-clients",
        "basicConstraints=critical,CA:TRUE\nextendedKeyUsage=clientAuth",
        "30",
        "sha256",
        "P-256",
        LEAF,
    ),
    (
        "names",
        "basicConstraints=critical,CA:TRUE\nnameConstraints=permitted;DNS:example.net",
        "30",
        "sha256",
        "P-256",
        LEAF,
    ),
    (
        "critical",
        "basicConstraints=critical,CA:TRUE\n1.3.6.1.4.1.99999.1=critical,ASN1:NULL",
        "30",
        "sha256",
        "P-256",
        LEAF,
    ),
    (
        "ca-leaf",
        ROOT,
        "30",
        "sha256",
        "P-256",
        "basicConstraints=critical,CA:TRUE",
    ),
    ("sha512", ROOT, "30", "sha512", "P-256", LEAF),
    ("sha1", ROOT, "30", "sha1", "P-256", LEAF),
    ("p521", ROOT, "30", "sha256", "P-521", LEAF),
    (
        "client-leaf",
        ROOT,
        "30",
        "sha256",
        "P-256",
        "extendedKeyUsage=clientAuth",
    ),
];

const ROOT: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign";
const LEAF: &str = "extendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE";

/// Keys alone, self-signed: how `openssl req` makes them.
pub const KEYS: [(&str, &str); 5] = [
    ("ed448", "ed448"),
    ("ed25519", "ed25519"),
    ("pss", "rsa-pss -pkeyopt rsa_keygen_bits:2048"),
    ("rsa-768", "rsa:768"),
    ("rsa-1024", "rsa:1024"),
];

/// Digests in hex, as TLSA records carry them.
pub struct Pki {
    /// SPKI of leaves A, B (two keys for `mx.…`), N (for other names), R (RSA), and of the CA.
    pub a: String,
    pub b: String,
    pub n: String,
    pub r: String,
    pub ca: String,
    /// The key of A as it stands.
    pub a_key: String,
    /// The whole certificate of A, SHA-512.
    pub a_cert_512: String,
    /// The CA's certificate as it stands.
    pub ca_whole: String,
    /// SPKI of the roots of [`ODD`] and of [`KEYS`], by their names.
    pub odd: BTreeMap<&'static str, String>,
}

impl Pki {
    /// Makes `pki/{A,ANOCA,B,N,X,R}.pem`: key, leaf and issuer in one file each. `names` are those of A, B, R and X.
    pub fn make(world: &World, names: &[String]) -> Self {
        world.write("pki/ext", extensions(names));
        world.write("pki/other", extensions(&["other.example.net".to_owned()]));
        let script = r#"
set -e; cd pki
ec="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
openssl req -x509 $ec -keyout ca.key -out ca.pem -days 30 -subj "/CN=interop CA" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
leaf() { openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days ${3:-20} -extfile $2 -out $1.crt; }
for l in A B N; do openssl req $ec -keyout $l.key -out $l.csr -subj "/CN=leaf $l"; done
openssl req -newkey rsa:2048 -nodes -keyout R.key -out R.csr -subj "/CN=leaf R"
cp A.csr X.csr; cp A.key X.key
leaf A ext; leaf B ext; leaf R ext; leaf N other; leaf X ext -1
for l in A B N X R; do cat $l.key $l.crt ca.pem >$l.pem; done
cat A.key A.crt >ANOCA.pem
odd() {
  openssl req $ec -keyout $1.ca.key -out $1.ca.csr -subj "/CN=root $1"
  openssl x509 -req -in $1.ca.csr -signkey $1.ca.key -days $2 -extfile $1.root -out $1.ca
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:$4 -nodes -keyout $1.key -out $1.csr -subj "/CN=leaf $1"
  openssl x509 -req -in $1.csr -CA $1.ca -CAkey $1.ca.key -CAcreateserial -days 20 -$3 -extfile $1.ext -out $1.crt
  cat $1.key $1.crt $1.ca >$1.pem
}
alone() {
  local name=$1; shift
  openssl req -x509 -newkey $* -nodes -keyout $name.key -out $name.crt -days 30 -subj "/CN=leaf $name"
  cat $name.key $name.crt >$name.pem
}
"#;
        let mut script = script.to_owned();
        for (name, root, days, digest, curve, leaf) in ODD {
            world.write(&format!("pki/{name}.root"), format!("{root}\n"));
            let leaf = format!("{}{leaf}\n", alternative(names));
            world.write(&format!("pki/{name}.ext"), leaf);
            script.push_str(&format!("odd {name} {days} {digest} {curve}\n"));
        }
        for (name, how) in KEYS {
            script.push_str(&format!("alone {name} {how}\n"));
        }
        script.push_str("chmod 600 *.key *.pem\n");
        world.write("pki/make", script);
        world.run("bash", &["pki/make"]);
        let digest = |from: &str, what: &str, hash: &str| {
            let script = match what {
                "spki" => format!(
                    "openssl x509 -in pki/{from} -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -{hash} -r"
                ),
                _ => format!("openssl x509 -in pki/{from} -outform DER | openssl dgst -{hash} -r"),
            };
            let printed = world.run("bash", &["-c", &script]);
            printed.split(' ').next().unwrap().to_owned()
        };
        Self {
            a: digest("A.crt", "spki", "sha256"),
            b: digest("B.crt", "spki", "sha256"),
            n: digest("N.crt", "spki", "sha256"),
            r: digest("R.crt", "spki", "sha256"),
            ca: digest("ca.pem", "spki", "sha256"),
            a_key: world
                .run(
                    "bash",
                    &[
                        "-c",
                        "openssl x509 -in pki/A.crt -noout -pubkey | openssl pkey -pubin -outform DER | od -An -v -tx1 | tr -d ' \\n'",
                    ],
                )
                .trim()
                .to_owned(),
            a_cert_512: digest("A.crt", "certificate", "sha512"),
            ca_whole: world
                .run(
                    "bash",
                    &[
                        "-c",
                        "openssl x509 -in pki/ca.pem -outform DER | od -An -v -tx1 | tr -d ' \\n'",
                    ],
                )
                .trim()
                .to_owned(),
            odd: {
                let roots = ODD.iter().map(|(name, ..)| (*name, format!("{name}.ca")));
                let keys = KEYS.iter().map(|(name, _)| (*name, format!("{name}.crt")));
                let all = roots.chain(keys);
                all.map(|(name, file)| (name, digest(&file, "spki", "sha256")))
                    .collect()
            },
        }
    }
}

fn extensions(names: &[String]) -> String {
    format!("{}{LEAF}\n", alternative(names))
}

fn alternative(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("DNS:{name}")).collect();
    format!("subjectAltName={}\n", names.join(","))
}
