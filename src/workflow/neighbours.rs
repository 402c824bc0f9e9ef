//! Certificates whose hosts senders meet by one TLSA RRset, which aliases lead to (RFC 7671 §6): a key that two of them
//! present must neither come nor go for one alone.

use super::head::Heads;
use super::{WorkflowError, admit, surroundings};
use crate::dane::certificate::Certificate;
use crate::rotation::association::Association;
use crate::rotation::observation::TlsaName;
use crate::workspace::config::CertificateConfig;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The certificates by the names that the RRsets of their hosts lie at.
pub(super) type Neighbours<'w> = BTreeMap<TlsaName, Vec<&'w CertificateConfig>>;

/// All of them, as HEAD has the zones now. A name that leads nowhere is said when its certificate has its turn.
pub(super) fn all<'w>(heads: &mut Heads<'w>) -> Neighbours<'w> {
    let mut all = Neighbours::new();
    for certificate in &heads.workspace.config.certificates {
        for endpoint in certificate.endpoints() {
            if let Ok(found) = surroundings::find(heads, &endpoint.tlsa_name()) {
                all.entry(found.name).or_default().push(certificate);
            }
        }
    }
    all
}

/// Refuses that one of `moved` keys comes to these names, or goes, while hosts of another certificate present it by the same
/// RRset: taken out for one, it would be missing for the other. Keys that differ disturb nobody.
pub(super) fn keep_their_keys<'n>(
    heads: &mut Heads<'_>,
    certificate: &CertificateConfig,
    names: impl IntoIterator<Item = &'n TlsaName>,
    moved: &BTreeSet<Association>,
) -> Result<(), WorkflowError> {
    if moved.is_empty() {
        return Ok(());
    }
    let neighbours = Rc::clone(heads.neighbours());
    for name in names {
        let there = neighbours.get(name).into_iter().flatten();
        for other in there.filter(|other| other.name != certificate.name) {
            let chains = admit::in_use(other)?;
            let leaves = chains.iter().filter_map(|chain| chain.first());
            let mut keys = leaves.map(Certificate::spki_association);
            if let Some(key) = keys.find(|key| moved.contains(key)) {
                return Err(WorkflowError::SharedKey {
                    certificates: (certificate.name.clone(), other.name.clone()),
                    key,
                    name: name.clone(),
                });
            }
        }
    }
    Ok(())
}
