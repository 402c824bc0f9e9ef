//! Our records as hickory's, whatever their type (RFC 3597).

use crate::zone::record::Record;
use hickory_server::proto::rr::rdata::NULL;
use hickory_server::proto::rr::{Name as WireName, RData, Record as WireRecord, RecordType};
use hickory_server::proto::serialize::binary::{BinDecodable, BinDecoder};

/// The octets a record takes at most: without compression, with its fixed fields.
pub(super) fn bound(record: &Record) -> usize {
    let fixed = 10_usize;
    fixed
        .saturating_add(record.owner.wire().len())
        .saturating_add(record.rdata.0.len())
}

/// A record that hickory puts on the wire octet for octet: it need not know the type.
pub(super) fn record(record: &Record) -> Option<WireRecord> {
    let owner = WireName::read(&mut BinDecoder::new(record.owner.wire())).ok()?;
    let mut rdata = NULL::new();
    rdata.anything = record.rdata.0.to_vec();
    let data = RData::Unknown {
        code: RecordType::from(record.rtype.0),
        rdata,
    };
    Some(WireRecord::from_rdata(owner, record.ttl.0, data))
}
