//! What a person reads of a change, in every form.

use crate::lab::Lab;
use serde_json::Value;

const LISTED: &str = "\
~ SOA serial 2026112301 -> 2026112302
~ change  web.a.b.c.Example.COM. 3600 IN A
-   192.0.2.80
+   192.0.2.81
~ ttl     Mx1.Example.COM. A 600 -> 300
+ add     _25._tcp.mx1.Example.COM. 300 IN TLSA
+   3 1 1  5ad7bcda23ac7cd2 4400a2b3f07e86d9  e1ae1d1ddd4bbbbd e5d2bb7e7c5e6ba1
~ change  secure.Example.COM. 3600 IN DS
-   12345 13 2  e1ae9c3de848ece1 ba72e0d991ae4d0d  9ec547c6bad1ddda b9d6beb0a7e0e0d8
+   777 13 2    f2ae9c3de848ece1 ba72e0d991ae4d0d  9ec547c6bad1ddda b9d6beb0a7e0e0d8
  not listed: RRSIG 5 removed, 5 added
";
const SUMMARY: &str = "1 added, 2 changed, 1 with another TTL, serial 2026112301 -> 2026112302";

#[test]
fn a_diff_and_a_proposal_tell_the_same() {
    let lab = Lab::new();
    assert_eq!(lab.ours(&["zone", "diff", "old", "new"]), LISTED);
    let shown = lab.ours(&["change", "show", "proposal"]);
    assert!(
        shown.starts_with(&format!("mail.1 publish in Example.COM.: {SUMMARY}\n")),
        "{shown}"
    );
    assert!(shown.contains("expires 2026-12-01T08:00:00Z\n"), "{shown}");
    assert!(shown.ends_with(&format!("\n\n{LISTED}")), "{shown}");
    assert!(lab.read("proposal").contains(&format!(
        "\nWhat changes: {SUMMARY}\n{LISTED}\n; tlsa-rotate delta 1\n"
    )));
    let fence = format!("{SUMMARY}.\n\n```diff\n{LISTED}```\n");
    for arguments in [
        &["zone", "diff", "old", "new"][..],
        &["change", "show", "proposal"],
    ] {
        let markdown = lab.ours(&[arguments, &["--format", "markdown"]].concat());
        assert!(markdown.contains(&fence), "{markdown}");
    }
    let all = lab.ours(&["zone", "diff", "old", "new", "--all"]);
    assert_eq!(
        all.lines().filter(|line| line.contains(" RRSIG")).count(),
        5,
        "{all}"
    );
    assert!(
        !all.contains("not listed") && !all.contains(" 0 IN RRSIG"),
        "{all}"
    );
    assert_eq!(lab.ours(&["zone", "diff", "old", "old"]), "");
}

#[test]
fn programs_are_told_every_record() {
    let lab = Lab::new();
    let json = |arguments: &[&str]| -> Value {
        serde_json::from_str(&lab.ours(&[arguments, &["--format", "json"]].concat())).unwrap()
    };
    let (diff, shown) = (
        json(&["zone", "diff", "old", "new"]),
        json(&["change", "show", "proposal"]),
    );
    assert_eq!(diff["schema"], "tlsa-rotate/zone-diff/v1");
    assert_eq!(shown["schema"], "tlsa-rotate/change-show/v1");
    assert_eq!(diff["changes"], shown["changes"]);
    assert_eq!(diff["counted"], shown["counted"]);
    assert_eq!(diff["changes"][0]["verb"], "change");
    assert_eq!(diff["changes"][1]["new"], 300);
    assert_eq!(diff["counted"]["RRSIG"]["added"], 5);
    assert_eq!(
        (&shown["rotation"], &shown["step"]),
        (&"mail.1".into(), &"publish".into())
    );
    assert_eq!(shown["base"]["serial"], 2_026_112_301_u32);
    assert_eq!(shown["added"].as_array().unwrap().len(), 10);
}

#[test]
fn the_delta_and_the_script_come_out_of_the_proposal() {
    let lab = Lab::new();
    lab.sign("zone2", "again", &["--previous", "old", "--delta", "delta"]);
    lab.make("old", "again", "second", &[]);
    let delta = lab.ours(&["change", "show", "second", "--format", "delta"]);
    assert_eq!(delta, lab.read("delta"));
    let script = lab.ours(&["change", "show", "second", "--format", "nsupdate"]);
    assert!(
        script.starts_with("zone Example.COM.\nprereq yxrrset Example.COM. IN SOA "),
        "{script}"
    );
    assert!(
        script.ends_with("\nsend\n") && !script.contains("RRSIG"),
        "{script}"
    );
    let (code, said) = lab.attempt(&["zone", "diff", "old", "new", "--format", "delta"]);
    let refused = "invalid value 'delta' for '--format <FORMAT>'";
    assert!(code == 2 && said.contains(refused), "{said}");
}
