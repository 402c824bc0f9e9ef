//! DNS messages as octets: read without trust, written with name compression (RFC 1035 §4.1, RFC 3597 §4).

mod compress;
mod read;
mod write;

pub(super) use read::{Reader, counts};
pub(super) use write::{Full, RR, Section, Writer};

/// Octets of the header (RFC 1035 §4.1.1).
pub(super) const HEADER: usize = 12;
/// The class of the Internet.
pub(super) const CLASS_IN: u16 = 1;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::zone::name::Name;
    use crate::zone::record::Rtype;

    fn name(text: &str) -> Name {
        Name::parse(text.as_bytes(), None).unwrap()
    }

    #[test]
    fn names_are_compressed_and_come_back() {
        let mut writer = Writer::new(7, 0x8400, 512);
        let names = [
            "example.com.",
            "a.example.com.",
            "b.a.example.com.",
            "a.example.com.",
            "example.org.",
            ".",
            "x.org.",
            "A.example.com.",
        ];
        writer
            .question(&name("example.com."), Rtype::NS, CLASS_IN)
            .unwrap();
        for owner in names {
            let target = name("b.a.example.com.");
            writer
                .record(Section::Answer, &name(owner), Rtype::NS, 60, target.wire())
                .unwrap();
        }
        let message = writer.finish();
        assert_eq!(counts(&message), Some([1, 8, 0, 0]));
        let mut reader = Reader::new(&message);
        assert_eq!(reader.name().unwrap().to_string(), "example.com.");
        reader.take(4).unwrap();
        for owner in names {
            let mut record = reader.record().unwrap();
            assert_eq!(
                record.owner.to_string(),
                owner,
                "in the case it was written in"
            );
            assert_eq!(record.data.name().unwrap().to_string(), "b.a.example.com.");
        }
        assert_eq!(reader.at(), message.len());
        assert!(
            message.len() < 12 + 17 + names.len() * 20,
            "{} octets",
            message.len()
        );
    }

    #[test]
    fn what_does_not_fit_leaves_nothing_behind() {
        let mut writer = Writer::new(7, 0x8400, 60);
        writer
            .question(&name("example.com."), Rtype::TXT, CLASS_IN)
            .unwrap();
        let long = writer.record(
            Section::Answer,
            &name("long.example.com."),
            Rtype::TXT,
            60,
            &[9; 40],
        );
        assert_eq!(long, Err(Full));
        writer
            .record(
                Section::Answer,
                &name("long.example.com."),
                Rtype::TXT,
                60,
                b"\x01a",
            )
            .unwrap();
        let message = writer.finish();
        let mut reader = Reader::new(&message);
        reader.name().unwrap();
        reader.take(4).unwrap();
        assert_eq!(
            reader.record().unwrap().owner.to_string(),
            "long.example.com."
        );
        assert_eq!(counts(&message), Some([1, 1, 0, 0]));
    }

    #[test]
    fn many_names_are_written_in_full_rather_than_wrong() {
        let mut writer = Writer::new(7, 0x8400, 65_535);
        let names: Vec<Name> = (0..1500)
            .map(|n| name(&format!("h{n}.{}.example.com.", n % 300)))
            .collect();
        for owner in &names {
            writer
                .record(Section::Answer, owner, Rtype::A, 60, &[192, 0, 2, 1])
                .unwrap();
        }
        let message = writer.finish();
        let mut reader = Reader::new(&message);
        for owner in &names {
            assert_eq!(reader.record().unwrap().owner, *owner);
        }
    }

    #[test]
    fn hostile_names_are_none() {
        let table: [(&str, &[u8]); 7] = [
            ("points at itself", b"\xc0\x0c"),
            ("points forward", b"\xc0\x0e\x00"),
            ("points into the header", b"\xc0\x04"),
            ("ends in a label", b"\x05ab"),
            ("ends", b"\x01a"),
            ("reserved bits", b"\x80\x00"),
            ("two that point at each other", b"\x01a\xc0\x0c"),
        ];
        for (why, octets) in table {
            let message = [&[0; 12], octets].concat();
            assert!(Reader::new(&message).name().is_none(), "{why}");
        }
        let longest = [b"\x3f".as_slice(), &[b'a'; 63]].concat().repeat(4);
        let message = [&[0; 12], longest.as_slice(), &[0]].concat();
        assert!(
            Reader::new(&message).name().is_none(),
            "longer than 255 octets"
        );
    }
}
