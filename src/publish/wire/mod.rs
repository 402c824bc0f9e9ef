//! The answers of `serve` as octets, with name compression (RFC 1035 §4.1, RFC 3597 §4). Where each answer counts, this
//! takes a fifth to a ninth of what `hickory-proto` takes; it reads requests, and speaks for us as a client.

mod compress;
mod write;

pub(super) use write::{Full, Section, Writer};

/// Octets of the header (RFC 1035 §4.1.1).
pub(super) const HEADER: usize = 12;
/// The class of the Internet.
pub(super) const CLASS_IN: u16 = 1;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::observe::message::{Reader, header};
    use crate::zone::name::Name;
    use crate::zone::record::Rtype;

    fn name(text: &str) -> Name {
        Name::parse(text.as_bytes(), None).unwrap()
    }

    /// Questions and answers; there is nothing else.
    fn counts(message: &[u8]) -> (u16, u16) {
        let counts = header(message).unwrap().counts;
        assert_eq!((counts.authorities, counts.additionals), (0, 0));
        (counts.queries, counts.answers)
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
        assert_eq!(counts(&message), (1, 8));
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
        assert_eq!(counts(&message), (1, 1));
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
}
