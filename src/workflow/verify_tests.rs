//! When TLS 1.2 is worth a line of its own, and what half of a host's addresses does to it.
#![allow(clippy::unwrap_used)]
use super::*;
use crate::observe::chain::NoAnswer;
use crate::observe::senders_view::NoTlsa;
use crate::observe::smtp::SmtpError;

#[test]
fn tls_1_2_has_a_line_where_it_shows_something_else() {
    let chain = |octet| Ok(Answer::Chain(vec![vec![octet]]));
    let lost = || Err(Obstacle::Other("why".to_owned()));
    let refused = || Err(Obstacle::NoStarttls(SmtpError::NoStarttls));
    #[rustfmt::skip]
    let table = [
        (chain(1), chain(1), false, "the same chain"),
        (chain(1), chain(2), true, "another chain"),
        (chain(1), Ok(Answer::NotOffered), false, "TLS 1.3 alone"),
        (Ok(Answer::NotOffered), chain(1), true, "TLS 1.2 alone"),
        (chain(1), refused(), true, "STARTTLS now and then"),
        (chain(1), lost(), false, "a lost conversation tells nothing"),
        (lost(), chain(1), true, "what was seen counts, whatever stayed silent"),
        (lost(), Ok(Answer::NotOffered), false, "nothing was seen"),
    ];
    for (preferred, older, expected, why) in table {
        assert_eq!(differs(&preferred, &older), expected, "{why}");
    }
}

#[test]
fn half_of_the_addresses_that_cannot_be_looked_up_count() {
    let name = Name::parse(b"mx.example.com.", None).unwrap();
    let standing = |address_failure| {
        let mut seen = unseen(None, name.clone(), SMTP);
        seen.host = Some(Host {
            name: name.clone(),
            addresses: Vec::new(),
            address_failure,
            aliases: Vec::new(),
            tlsa: Tlsa::None {
                base: name.clone(),
                why: NoTlsa::ProvenAbsent {
                    owner: name.clone(),
                },
            },
        });
        seen.standing()
    };
    assert_eq!(standing(None), Standing::Unprotected);
    let failure = NoAnswer::Bogus("why".to_owned().into());
    assert_eq!(standing(Some(failure)), Standing::AtRisk);
}

#[test]
fn a_certificate_is_for_the_base_domain_or_the_domain_of_the_mx_record() {
    let name = |text: &str| Name::parse(text.as_bytes(), None).unwrap();
    let (alias, end, domain) = (
        name("alias.example.com."),
        name("mx.example.com."),
        name("example.com."),
    );
    let host = Host {
        name: alias,
        addresses: Vec::new(),
        address_failure: None,
        aliases: Vec::new(),
        tlsa: Tlsa::NoAddress { exists: true },
    };
    let names = |base: &Name, also: &[Name]| case(base, &host, SMTP, also).names;
    assert_eq!(
        names(&end, &[]),
        ["mx.example.com"],
        "what leads there is no name of it"
    );
    let both = ["mx.example.com", "example.com"];
    assert_eq!(names(&end, std::slice::from_ref(&domain)), both);
    assert_eq!(
        names(&domain, std::slice::from_ref(&domain)),
        ["example.com"]
    );
}
