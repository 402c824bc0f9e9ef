//! What a person reads of a rotation whose timer runs every other hour (`advance --cron`), and what monitoring does (`status
//! --format nagios` and `prometheus`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod rotation_support;

use rotation_support::{BEGIN, Publish, Run, World};
use tlsa_rotate::rotation::timing::{Instant, Span};

const STRIDE: u64 = 120;

fn minutes(count: u64) -> Instant {
    BEGIN + Span::minutes(count)
}

fn tick(world: &World, minute: u64) -> Run {
    world.run(minutes(minute), &["advance", "--cron"])
}

fn is_silent(run: &Run) -> bool {
    run.stdout.is_empty() && run.stderr.is_empty()
}

/// The review is done after a day and a half, everything else at once.
#[test]
fn a_rotation_is_told_once_at_each_step_and_rest_is_silent() {
    let world = World::new(Publish::Branch);
    for minute in (0..24 * 60).step_by(240) {
        let run = tick(&world, minute).ends(0);
        assert!(is_silent(&run), "at rest: {run:#?}");
    }
    let began = 24 * 60;
    world.start(minutes(began)).ends(0);
    let (mut told, mut reminded, mut minute) = (Vec::new(), 0, began);
    while world.facts().last() != Some(&"RetireServed") {
        minute += STRIDE;
        assert!(minute < began + 8 * 24 * 60, "no end: {told:#?}");
        let run = tick(&world, minute);
        let spoken = !is_silent(&run);
        assert!(spoken || run.code == Some(0), "{run:#?}");
        if run.code == Some(3) {
            assert!(run.stdout.is_empty(), "not on standard error: {run:#?}");
            assert!(run.stderr.contains("way out"), "{run:#?}");
        }
        if spoken {
            reminded += usize::from(run.stderr.contains("a reminder"));
            told.push((minute, run));
        }
        if minute == began + 36 * 60 {
            assert!(world.merge());
        } else if minute > began + 36 * 60 {
            world.merge();
        }
        world.load();
        if world
            .run(minutes(minute), &["check", "--swap", "mail"])
            .code
            == Some(0)
        {
            world.deploy(0);
            world.deploy(1);
        }
    }
    assert_eq!(reminded, 1, "{told:#?}");
    let (steps, reviews) = (6, 2);
    let days = usize::try_from((minute - began).div_ceil(24 * 60)).unwrap();
    assert!(told.len() <= steps + reviews + days, "{told:#?}");
    for _ in 0..6 {
        minute += 240;
        let run = tick(&world, minute).ends(0);
        assert!(is_silent(&run), "after the end: {run:#?}");
    }
}

#[test]
fn mail_at_risk_is_told_at_each_run_and_that_it_is_over_once() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Waiting");
    let at = |more: u64| hour * 60 + more;
    tick(&world, at(10)).ends(0);
    world.deploy(0);
    for more in [20, 30, 40] {
        let run = tick(&world, at(more)).ends(4);
        assert!(run.stderr.contains("AT RISK"), "{run:#?}");
    }
    world.put_back(0);
    let run = tick(&world, at(50)).ends(0);
    assert!(run.stdout.contains("all clear"), "{run:#?}");
    let run = tick(&world, at(60)).ends(0);
    assert!(is_silent(&run), "{run:#?}");
}

/// What was told is only kept for the reader's sake: damaged, it holds nothing up.
#[test]
fn a_damaged_memory_of_what_was_told_tells_anew() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Waiting");
    let at = |more: u64| hour * 60 + more;
    assert!(!is_silent(&tick(&world, at(10)).ends(0)));
    assert!(is_silent(&tick(&world, at(20)).ends(0)));
    world.write(".tlsa-rotate/told", "{\"certificate mail\": 7");
    assert!(!is_silent(&tick(&world, at(30)).ends(0)));
    assert!(is_silent(&tick(&world, at(40)).ends(0)));
}

#[test]
fn nagios_reads_a_word_and_the_exit_code_that_goes_with_it() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Waiting");
    let at = |more: u64| minutes(hour * 60 + more);
    let nagios = |more: u64| world.run(at(more), &["status", "--format", "nagios"]);
    let line = |run: &Run, word: &str| {
        assert!(
            run.stdout.starts_with(&format!("DANE {word} - ")),
            "{run:#?}"
        );
        assert_eq!(run.stdout.lines().count(), 1, "{run:#?}");
    };
    line(&nagios(10).ends(0), "OK");
    world.deploy(0);
    line(&nagios(20).ends(2), "CRITICAL");
    world.put_back(0);
    // What was not looked at is not known, a wrong command line among it.
    let unknown = world.run(at(30), &["status", "--format", "nagios", "nobody"]);
    line(&unknown.ends(3), "UNKNOWN");
    let misused = world.run(at(30), &["status", "--format", "nagios", "--wrong"]);
    line(&misused.ends(3), "UNKNOWN");
    world.write("tlsa-rotate.toml", "[[zone]\n");
    let broken = world.run(at(30), &["check", "--format=nagios"]);
    line(&broken.ends(3), "UNKNOWN");
}

/// The samples of a metric, each with its labels.
fn samples<'t>(text: &'t str, metric: &str) -> Vec<(&'t str, &'t str)> {
    let name = format!("tlsa_rotate_{metric}");
    let lines = text.lines().filter_map(|line| line.strip_prefix(&name));
    let samples = lines.filter(|rest| rest.starts_with(['{', ' ']));
    samples.map(|rest| rest.rsplit_once(' ').unwrap()).collect()
}

#[test]
fn prometheus_collects_steps_places_servers_and_ends() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Deployed");
    let at = hour * 60 + 10;
    let metrics = |more: u64| {
        let run = world.run(minutes(at + more), &["status", "--format", "prometheus"]);
        run.ends(0).stdout
    };
    let text = metrics(0);
    let now = minutes(at).unix().to_string();
    assert_eq!(
        samples(&text, "last_run_timestamp_seconds"),
        [("", now.as_str())]
    );
    assert_eq!(
        samples(&text, "attention"),
        [("{certificate=\"mail\"}", "0")]
    );
    let step = "{certificate=\"mail\",rotation=\"mail.1\",step=\"Deployed\"}";
    assert_eq!(samples(&text, "step"), [(step, "1")]);
    for (metric, count) in [
        ("place_matches", 2),
        ("place_unanswered", 2),
        ("certificate_not_after_timestamp_seconds", 2),
        ("server_serves_required", 4),
        ("signature_expiration_timestamp_seconds", 4),
        ("next_timestamp_seconds", 1),
    ] {
        assert_eq!(samples(&text, metric).len(), count, "{metric}: {text}");
    }
    assert!(
        samples(&text, "place_matches")
            .iter()
            .all(|(_, value)| *value == "1")
    );
    // A line of a collector is a comment or a sample, and each metric is described once, before its samples.
    for line in text.lines() {
        assert!(
            line.starts_with("# ") || line.starts_with("tlsa_rotate_"),
            "{line}"
        );
    }
    // One host has a key that nobody lists, the other does not answer.
    world.renew_elsewhere(0);
    world.silence(1);
    let text = metrics(10);
    assert_eq!(
        samples(&text, "attention"),
        [("{certificate=\"mail\"}", "4")]
    );
    let of = |metric: &str, host: &str| -> Vec<String> {
        let all = samples(&text, metric).into_iter();
        let of_host = all.filter(|(labels, _)| labels.contains(host));
        of_host.map(|(_, value)| value.to_owned()).collect()
    };
    assert_eq!(of("place_matches", "mx1"), ["0"]);
    assert_eq!(of("place_matches", "mx2"), Vec::<String>::new());
    assert_eq!(of("place_unanswered", "mx2"), ["1"]);
}

#[test]
fn a_page_shows_the_step_the_hosts_and_the_servers_and_loads_nothing() {
    let (world, hour) = World::new(Publish::Branch).brought_to("Waiting");
    let at = minutes(hour * 60 + 10);
    world.run(at, &["report", "--html", "page.html"]).ends(0);
    let page = world.read("page.html");
    for part in [
        "mail.1",
        "nothing to do",
        "mx1.example.com:25",
        "listed everywhere",
        "as the step asks",
        "wait",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for part in ["<script", "http://", "https://", "url("] {
        assert!(!page.contains(part), "{part}: {page}");
    }
    let opened = [
        "section", "table", "ul", "ol", "li", "tr", "td", "th", "p", "div", "span",
    ];
    for name in opened {
        let opens =
            page.matches(&format!("<{name}>")).count() + page.matches(&format!("<{name} ")).count();
        assert_eq!(opens, page.matches(&format!("</{name}>")).count(), "{name}");
    }
    world.deploy(0);
    world.run(at, &["report", "--html", "page.html"]).ends(0);
    let page = world.read("page.html");
    assert!(page.contains("mail is at risk"), "{page}");
    // A key is not written over.
    let key = "keys/tls/mail.1/ecdsa-p256.key.pem";
    let before = world.read(key);
    world.run(at, &["report", "--html", key]).ends(1);
    assert_eq!(world.read(key), before);
}
