//! Just enough DER to write any certificate, right or wrong.

pub(crate) fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let mut out = vec![tag];
    match length {
        0..=0x7f => out.push(length as u8),
        0x80..=0xff => out.extend([0x81, length as u8]),
        _ => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend_from_slice(contents);
    out
}

pub(crate) fn seq(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    let numbers: Vec<u64> = dotted.split('.').map(|n| n.parse().unwrap()).collect();
    let mut out = vec![(numbers[0] * 40 + numbers[1]) as u8];
    for number in &numbers[2..] {
        let mut octets = vec![(number & 0x7f) as u8];
        let mut rest = number >> 7;
        while rest > 0 {
            octets.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        octets.reverse();
        out.extend(octets);
    }
    tlv(6, &out)
}

pub(crate) fn int(number: u32) -> Vec<u8> {
    let mut octets = number.to_be_bytes().to_vec();
    while octets.len() > 1 && octets[0] == 0 && octets[1] < 0x80 {
        octets.remove(0);
    }
    tlv(2, &octets)
}

pub(crate) fn bits(octets: &[u8]) -> Vec<u8> {
    tlv(3, &[&[0], octets].concat())
}

pub(crate) fn name(common: &str) -> Vec<u8> {
    if common.is_empty() {
        return seq(&[]);
    }
    let sets = common.split('+').map(|one| {
        let value = seq(&[oid("2.5.4.3"), tlv(0x0c, one.as_bytes())]);
        tlv(0x31, &value)
    });
    seq(&sets.collect::<Vec<_>>())
}

pub(crate) fn extension(id: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let mut parts = vec![oid(id)];
    if critical {
        parts.push(tlv(1, &[0xff]));
    }
    parts.push(tlv(4, value));
    seq(&parts)
}
