//! Reports as senders write and send them.
#![allow(dead_code)] // each test file uses its part

use data_encoding::BASE64;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;

/// A failure: result type, host, sessions.
pub(crate) type Failed<'a> = (&'a str, &'a str, u64);

/// A report of `sender` about `day`, with the TLSA records it saw.
pub(crate) fn report(
    sender: &str,
    id: &str,
    day: &str,
    successful: u64,
    failures: &[Failed<'_>],
    saw: &[String],
) -> String {
    let details: Vec<String> = failures
        .iter()
        .map(|(result, host, sessions)| {
            format!(
                r#"{{"result-type":"{result}","sending-mta-ip":"192.0.2.9","receiving-mx-hostname":"{host}","receiving-ip":"192.0.2.25","failed-session-count":{sessions}}}"#
            )
        })
        .collect();
    let total: u64 = failures.iter().map(|(_, _, sessions)| sessions).sum();
    let saw: Vec<String> = saw.iter().map(|record| format!("\"{record}\"")).collect();
    format!(
        r#"{{"organization-name":"{sender}","date-range":{{"start-datetime":"{day}T00:00:00Z","end-datetime":"{day}T23:59:59Z"}},"contact-info":"tls@sender.example","report-id":"{id}","policies":[{{"policy":{{"policy-type":"tlsa","policy-string":[{}],"policy-domain":"example.com"}},"summary":{{"total-successful-session-count":{successful},"total-failure-session-count":{total}}},"failure-details":[{}]}}]}}"#,
        saw.join(","),
        details.join(",")
    )
}

pub(crate) fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(octets).unwrap();
    encoder.finish().unwrap()
}

/// A mail with the report attached as RFC 8460 §5.3 asks for.
pub(crate) fn mail(report: &[u8], subject: &str) -> String {
    let base64 = BASE64.encode(&gzip(report));
    let lines: Vec<&str> = base64
        .as_bytes()
        .chunks(76)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "From: tls@sender.example\r\nTo: tls@example.com\r\nSubject: {subject}\r\nTLS-Report-Domain: example.com\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=\"tlsrpt\"; boundary=\"b0\"\r\n\r\n\
         --b0\r\nContent-Type: text/plain\r\n\r\nThis is an aggregate TLS report.\r\nFrom here on it is attached.\r\n\
         --b0\r\nContent-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"sender.example!example.com!1!2!3.json.gz\"\r\n\r\n{}\r\n--b0--\r\n",
        lines.join("\r\n")
    )
}

/// A mail that carries another as `message/rfc822`.
pub(crate) fn forwarded(inner: &str) -> String {
    format!(
        "From: someone@example.com\r\nSubject: Fwd\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"f0\"\r\n\r\n\
         --f0\r\nContent-Type: text/plain\r\n\r\nsee below\r\n--f0\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--f0--\r\n"
    )
}

/// An mbox of these mails, with `From ` lines in them quoted.
pub(crate) fn mbox(mails: &[String]) -> String {
    let quoted = |mail: &String| mail.replace("\r\n", "\n").replace("\nFrom ", "\n>From ");
    let mut text = String::new();
    for mail in mails {
        text.push_str("From tls@sender.example Tue Dec  1 08:00:00 2026\n");
        text.push_str(&quoted(mail));
        text.push('\n');
    }
    text
}
