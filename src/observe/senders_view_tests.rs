//! Which names TLSA records are looked for below, by what the address answers are worth (RFC 7672 §2.2.2).
#![allow(clippy::unwrap_used)]
use super::*;
use crate::zone::content::Rrset;

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

fn worth(secure: bool) -> Security {
    if secure {
        Security::Secure
    } else {
        Security::Insecure("why".to_owned().into())
    }
}

/// One address RRset: `link` is what the alias from `mx.` to `end.` is worth, if it is one, `secure` all of it.
fn answer(link: Option<bool>, secure: bool, addresses: usize) -> Answer {
    let alias = link.map(|secure| Alias {
        from: name("mx."),
        to: name("end."),
        security: worth(secure),
    });
    Answer {
        name: name(if link.is_some() { "end." } else { "mx." }),
        aliases: alias.into_iter().collect(),
        content: match addresses {
            0 => Content::NoData,
            count => Content::Records(Rrset {
                ttl: Ttl(60),
                rdatas: vec![Rdata([192, 0, 2, 1].into()); count],
            }),
        },
        security: worth(secure),
        zone: None,
    }
}

#[test]
fn records_are_looked_for_where_every_address_answer_leads_securely() {
    let (own, alias) = (answer(None, true, 1), answer(Some(true), true, 1));
    let broken = answer(None, false, 1);
    let away = answer(Some(true), false, 1);
    let lost = answer(Some(false), false, 1);
    let nothing = answer(None, false, 0);
    #[rustfmt::skip]
    let table: [(&[&Answer], &str, &str); 9] = [
        (&[&own, &own], "mx.", "no alias"),
        (&[&alias, &alias], "end. mx.", "the end of a secure alias first"),
        (&[&away, &away], "mx.", "a secure alias into an unsigned zone"),
        (&[&alias, &away], "mx.", "one RRset is less secure: what holds for both"),
        (&[&away, &alias], "mx.", "the other way round"),
        (&[&lost, &lost], "insecure", "the alias itself is not secure"),
        (&[&own, &broken], "insecure", "one RRset is not secure"),
        (&[&own, &nothing], "mx.", "an insecure absence takes nothing away"),
        (&[&nothing, &own], "mx.", "nor if it is told first"),
    ];
    for (answers, expected, why) in table {
        let answers: Vec<Answer> = answers.iter().copied().cloned().collect();
        let told = match base_domains(&name("mx."), &answers) {
            Ok(bases) => {
                let bases: Vec<String> = bases.iter().map(ToString::to_string).collect();
                bases.join(" ")
            }
            Err(_) => "insecure".to_owned(),
        };
        assert_eq!(told, expected, "{why}");
    }
}
