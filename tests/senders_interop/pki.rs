//! The certificates that mail hosts present, made with OpenSSL: a CA, leaves of two keys, odd ones, and their digests.

use crate::world::World;

/// Digests in hex, as TLSA records carry them.
pub struct Pki {
    /// SPKI of leaves A, B (two keys for `mx.…`), N (for other names), R (RSA), and of the CA.
    pub a: String,
    pub b: String,
    pub n: String,
    pub r: String,
    pub ca: String,
    /// The whole certificate of A, SHA-512.
    pub a_cert_512: String,
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
chmod 600 *.key *.pem
"#;
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
            a_cert_512: digest("A.crt", "certificate", "sha512"),
        }
    }
}

fn extensions(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("DNS:{name}")).collect();
    format!(
        "subjectAltName={}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n",
        names.join(",")
    )
}
