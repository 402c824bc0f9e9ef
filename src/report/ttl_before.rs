//! The TTLs from before a rotation, each with how it is known: what makes the wait as long as it is (RFC 7671 §8.1).

use crate::rotation::before::TtlSource;
use crate::rotation::observation::TlsaName;
use crate::rotation::step::Rotation;
use crate::rotation::timing::Ttl;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A line for each TTL with a source of its own: `1h, seen: _25._tcp.mx1.example.com.`; `assumed` is what is taken where
/// nothing tells.
pub fn lines(state: &Rotation, assumed: Ttl) -> Vec<String> {
    let mut groups: BTreeMap<(Ttl, TtlSource), Vec<&str>> = BTreeMap::new();
    for name in state.names() {
        let ttl = state.ttl_old.get(name).copied().unwrap_or_default();
        let group = groups.entry((ttl, state.ttl_source(name))).or_default();
        group.push(name.as_str());
    }
    let line = |((ttl, source), names): ((Ttl, TtlSource), Vec<&str>)| {
        let (known, names) = (known(source, ttl, assumed), names.join(", "));
        format!("{}, {known}: {names}", ttl.span())
    };
    groups.into_iter().map(line).collect()
}

/// For programs: the seconds and the source, by name.
pub fn json(state: &Rotation) -> Value {
    let one = |name: &TlsaName| {
        let ttl = state.ttl_old.get(name).copied().unwrap_or_default();
        let known = json!({"seconds": ttl.0, "source": state.ttl_source(name)});
        (name.as_str().to_owned(), known)
    };
    Value::Object(state.names().iter().map(one).collect())
}

fn known(source: TtlSource, ttl: Ttl, assumed: Ttl) -> String {
    match source {
        TtlSource::Seen => "seen".to_owned(),
        TtlSource::History => "known from the zone's history in git".to_owned(),
        TtlSource::Remembered => "seen in the zone by an earlier run".to_owned(),
        TtlSource::Stated if ttl < assumed => format!(
            "stated by the operator, less than the {} that would be assumed (policy assume_ttl)",
            assumed.span()
        ),
        TtlSource::Stated => "stated by the operator".to_owned(),
        TtlSource::Assumed => {
            "assumed, as nothing tells what it was before (policy assume_ttl)".to_owned()
        }
    }
}
