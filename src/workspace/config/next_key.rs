//! `next` of a certificate: where the keys come from that replace those in use.

use super::certificate::{FILES, tables};
use super::document::{Findings, Section};
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::DeValue;

pub(super) const NEXT: &[&str] = &["generate", "certificate", "key"];

/// The files of a chain and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFiles {
    /// PEM, the leaf first. None where it comes later: an ACME client that keeps the next key ready orders it at the swap.
    pub certificate: Option<PathBuf>,
    /// PEM; where the certificate comes later, the public key will do.
    pub key: PathBuf,
}

/// Where the next keys come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextKey {
    /// They are generated, one for each algorithm named.
    Generate(Vec<GeneratedKey>),
    /// Somebody else (certbot, a CA's portal) puts them there.
    Files(Vec<KeyFiles>),
}

/// A kind of key that can be generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeneratedKey {
    /// ECDSA over P-256.
    EcdsaP256,
    /// RSA with a modulus of 2048 bits.
    Rsa2048,
}

pub(super) fn read<'t>(
    line: usize,
    value: Spanned<DeValue<'t>>,
    root: &Path,
    findings: &mut Findings<'t>,
) -> Option<NextKey> {
    if value.get_ref().is_array() {
        let files = |value| {
            let files = Section::open("`next`", value, FILES, findings)?;
            key_files(files, root, findings)
        };
        let files: Option<Vec<KeyFiles>> = tables(value).into_iter().map(files).collect();
        return files.map(NextKey::Files);
    }
    let mut next = Section::open("`next`", value, NEXT, findings)?;
    let Some((at, generate)) = next.take("generate", findings) else {
        return key_files(next, root, findings).map(|files| NextKey::Files(vec![files]));
    };
    if next.take("certificate", findings).is_some() || next.take("key", findings).is_some() {
        findings.wrong(
            line,
            "`next` either generates the key or names its files, not both",
        );
    }
    let generate = match generate.get_ref().as_array() {
        Some(array) => array.iter().cloned().collect(),
        None => vec![generate],
    };
    let mut keys = Vec::new();
    for value in generate {
        let text = findings.text("generate", value)?;
        match text.value.as_str() {
            "ecdsa-p256" if !keys.contains(&GeneratedKey::EcdsaP256) => {
                keys.push(GeneratedKey::EcdsaP256);
            }
            "rsa-2048" if !keys.contains(&GeneratedKey::Rsa2048) => {
                keys.push(GeneratedKey::Rsa2048);
            }
            other => {
                let wanted = "\"ecdsa-p256\", \"rsa-2048\" or each once";
                findings.wrong(
                    text.line,
                    format!("`generate` must be {wanted}, not `{other}`"),
                );
                return None;
            }
        }
    }
    if keys.is_empty() {
        findings.wrong(
            at,
            "`generate` names no key: \"ecdsa-p256\", \"rsa-2048\" or both",
        );
    }
    Some(NextKey::Generate(keys))
}

fn key_files<'t>(
    mut files: Section<'t>,
    root: &Path,
    findings: &mut Findings<'t>,
) -> Option<KeyFiles> {
    let certificate = files.text("certificate", findings);
    let key = files.required_text("key", "key = \"next/privkey.pem\"", findings);
    Some(KeyFiles {
        certificate: certificate.map(|certificate| root.join(certificate.value)),
        key: root.join(key?.value),
    })
}
