//! The rules about answers that are not the ones that were meant: a text that is lacking, a server block that was not
//! meant. No daemon may be named where another gave the answer.

use surefoot_diagnose::discover::{HostMatch, MeantHost, MeantReason, ServingHost};
use surefoot_diagnose::{
    ChainEdge, ConnectOutcome, DiagnosisVerdict, EdgeSource, HopAddress, HopFacts, HopProtocol,
    ProbeFacts, ProcessFacts, ReplyOutcome, Scene, ShownSymptom, SymptomOutcome, diagnose_scene,
};

const NGINX: usize = 0;
const APACHE: usize = 1;
const APP: usize = 2;

fn hop(name: &str, port: u16, has_text: bool) -> HopFacts {
    let reply = if has_text {
        ReplyOutcome::Good("200".to_owned())
    } else {
        ReplyOutcome::Complaint {
            code: "text".to_owned(),
            text: "200 without the text that was expected".to_owned(),
        }
    };
    HopFacts {
        address: Some(HopAddress::Tcp(([127, 0, 0, 1], port).into())),
        protocol: HopProtocol::Http,
        program: Some(name.to_owned()),
        processes: vec![ProcessFacts {
            pid: u32::from(port),
            name: name.to_owned(),
            state: 'S',
            ..ProcessFacts::default()
        }],
        probe: Some(ProbeFacts {
            connect: ConnectOutcome::Connected,
            reply,
            is_replay: true,
            ..ProbeFacts::default()
        }),
        is_here: true,
        ..HopFacts::default()
    }
}

fn edge(from: usize, to: usize, pool: bool) -> ChainEdge {
    ChainEdge {
        from,
        to,
        sources: vec![EdgeSource::Config {
            place: "/etc/x.conf:3".to_owned(),
            text: "proxy_pass".to_owned(),
        }],
        pool: pool.then(|| "apps".to_owned()),
        verifies_certificate: false,
        by_name: None,
    }
}

/// A web server, a balancer and two applications; each says whether it answers with the text.
fn scene(texts: [bool; 4]) -> Scene {
    Scene {
        symptom: ShownSymptom {
            question: "GET http://shop.test/".to_owned(),
            outcome: SymptomOutcome::WrongContent,
            millis: 20,
            ..ShownSymptom::default()
        },
        hops: vec![
            hop("nginx", 80, texts[0]),
            hop("apache2", 8080, texts[1]),
            hop("python3", 3001, texts[2]),
            hop("python3", 3002, texts[3]),
        ],
        edges: vec![edge(0, 1, false), edge(1, 2, true), edge(1, 3, true)],
        ..Scene::default()
    }
}

#[test]
fn the_hop_that_loses_the_text_is_named() {
    let named = |texts| {
        let answer = diagnose_scene(&scene(texts));
        let first = answer.causes.first().map(|cause| cause.hop);
        (answer.verdict == DiagnosisVerdict::Named).then_some(first?)
    };
    assert_eq!(named([false, true, true, true]), Some(NGINX));
    assert_eq!(named([false, false, true, true]), Some(APACHE));
    // One of the pool: whatever the others in front of it answered this time.
    for (nginx, apache) in [(false, true), (false, false), (true, false), (true, true)] {
        assert_eq!(
            named([nginx, apache, false, true]),
            Some(APP),
            "{nginx} {apache}"
        );
    }
    assert_eq!(named([false, false, false, false]), None);
    let why = diagnose_scene(&scene([false; 4]))
        .unknown
        .unwrap_or_default();
    assert!(
        why.starts_with("python3 at 127.0.0.1:3001 is the deepest"),
        "{why}"
    );
}

fn served(how: HostMatch, meant: Option<MeantReason>, outcome: SymptomOutcome) -> Scene {
    let mut scene = scene([true; 4]);
    scene.symptom.outcome = outcome;
    scene.hops[NGINX].virtual_host = Some(serving_host(how, meant));
    scene
}

fn serving_host(how: HostMatch, meant: Option<MeantReason>) -> ServingHost {
    ServingHost::new(
        "shop.test",
        "/etc/nginx/a.conf:2",
        how,
        meant.map(|why| MeantHost {
            place: "/etc/nginx/b.conf:3".to_owned(),
            name: "shopp.test".to_owned(),
            listens: vec!["127.0.0.2:80".to_owned()],
            why,
        }),
    )
}

#[test]
fn another_block_is_blamed_only_if_one_was_meant_and_the_server_did_not_fail() {
    let likely = |scene: &Scene| {
        let answer = diagnose_scene(scene);
        let rule = answer.causes.first().map(|cause| cause.rule);
        answer.verdict == DiagnosisVerdict::Named && rule == Some("virtual-host")
    };
    let missing = || SymptomOutcome::Status(404);
    for why in [
        MeantReason::Similar,
        MeantReason::Elsewhere,
        MeantReason::Later,
    ] {
        assert!(
            likely(&served(HostMatch::Default, Some(why), missing())),
            "{why:?}"
        );
    }
    assert!(!likely(&served(HostMatch::Default, None, missing())));
    assert!(!likely(&served(
        HostMatch::Exact,
        Some(MeantReason::Later),
        missing()
    )));
    let failed = SymptomOutcome::Status(502);
    assert!(!likely(&served(
        HostMatch::Default,
        Some(MeantReason::Similar),
        failed
    )));
    let fine = diagnose_scene(&served(
        HostMatch::Default,
        Some(MeantReason::Similar),
        SymptomOutcome::Fine,
    ));
    assert_eq!(fine.verdict, DiagnosisVerdict::Healthy, "{fine:#?}");
    // What answers by a pattern is meant to, unless another has the very name.
    let answer = diagnose_scene(&served(HostMatch::Pattern, None, missing()));
    assert_eq!(answer.causes.len(), 0, "{answer:#?}");
}
