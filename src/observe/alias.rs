//! Whether an answer says that a name is an alias: CNAME and DNAME records (RFC 1034 §3.6.2, RFC 6672 §2.2 and §5.3).

use super::answer::NoAnswer;
use super::dns::Reply;
use super::extended_error::{ExtendedError, Flaw};
use super::proof;
use crate::zone::name::Name;
use crate::zone::record::{Record, Rtype};

/// What makes an alias: a CNAME at the name, or a DNAME above it.
pub(super) struct AliasRecord {
    pub(super) owner: Name,
    pub(super) rtype: Rtype,
}

/// Whether the answer says that `name` is an alias, by which record, and for what.
pub(super) fn alias(
    reply: &Reply,
    name: &Name,
    rtype: Rtype,
) -> Result<Option<(AliasRecord, Name)>, NoAnswer> {
    if rtype == Rtype::CNAME || proof::rrset(&reply.answers, name, rtype).is_some() {
        return Ok(None);
    }
    let is_dname =
        |r: &&Record| r.rtype == Rtype::DNAME && r.owner != *name && name.is_at_or_below(&r.owner);
    // A CNAME that stands for a DNAME is made on the fly and not signed: what is signed is the DNAME (RFC 6672 §5.3.1).
    let dname = reply.answers.iter().find(is_dname);
    let cname = reply
        .answers
        .iter()
        .find(|r| r.rtype == Rtype::CNAME && r.owner == *name);
    let Some(record) = dname.or(cname) else {
        return Ok(None);
    };
    let unreadable = || {
        let reason = format!(
            "the {} record at {} cannot be followed",
            record.rtype, record.owner
        );
        NoAnswer::Failed(Flaw::new(ExtendedError::Other, reason))
    };
    let (target, _) = Name::split_wire(&record.rdata.0).map_err(|_| unreadable())?;
    let target = if record.rtype == Rtype::DNAME {
        name.redirected(&record.owner, &target)
            .ok_or_else(unreadable)?
    } else {
        target
    };
    let signed = AliasRecord {
        owner: record.owner.clone(),
        rtype: record.rtype,
    };
    Ok(Some((signed, target)))
}
