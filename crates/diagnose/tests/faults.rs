//! The rules over recorded observations: a web server, a balancer, two applications, a database and a cache, with
//! one fault each. No fault may be named that is not there.

use surefoot_diagnose::{
    CauseBearing, ChainEdge, ConfigFacts, ConnectOutcome, DiagnosisVerdict, EdgeSource, HopAddress,
    HopFacts, HopProtocol, ListenerFacts, LogLine, NameFacts, PidFileFacts, ProbeFacts,
    ProcessFacts, ReplyOutcome, Scene, ShownSymptom, SocketFile, StorageFacts, SymptomOutcome,
    diagnose_scene,
};

const NGINX: usize = 0;
const APACHE: usize = 1;
const APP: usize = 2;
const APP2: usize = 3;
const DB: usize = 4;
const REDIS: usize = 5;

fn tcp(port: u16) -> HopAddress {
    HopAddress::Tcp(([127, 0, 0, 1], port).into())
}

fn hop(name: &str, port: u16, protocol: HopProtocol, pid: u32) -> HopFacts {
    let process = |pid, is_master| ProcessFacts {
        pid,
        name: name.to_owned(),
        state: 'S',
        uid: 33,
        open_files: Some(12),
        open_files_limit: Some(1024),
        is_master,
        ..ProcessFacts::default()
    };
    HopFacts {
        address: Some(tcp(port)),
        protocol,
        program: Some(name.to_owned()),
        processes: vec![process(pid, true), process(pid + 1, false)],
        listener: Some(ListenerFacts {
            waiting: 0,
            most: 128,
            file: None,
        }),
        probe: Some(ProbeFacts {
            connect: ConnectOutcome::Connected,
            reply: ReplyOutcome::Good("ok".to_owned()),
            ..ProbeFacts::default()
        }),
        is_here: true,
        ..HopFacts::default()
    }
}

fn edge(from: usize, to: usize, pool: Option<&str>) -> ChainEdge {
    let source = if from == APP || from == APP2 {
        EdgeSource::Environment {
            pid: 30,
            variable: "DATABASE_URL".to_owned(),
        }
    } else {
        EdgeSource::Config {
            place: "/etc/x.conf:3".to_owned(),
            text: "proxy_pass".to_owned(),
        }
    };
    ChainEdge {
        from,
        to,
        sources: vec![source],
        pool: pool.map(str::to_owned),
        verifies_certificate: false,
        by_name: None,
    }
}

/// All is well, and the front shows `status` after `millis`.
fn world(outcome: SymptomOutcome, millis: u64) -> Scene {
    Scene {
        symptom: ShownSymptom {
            question: "GET http://127.0.0.1/".to_owned(),
            outcome,
            millis,
            ..ShownSymptom::default()
        },
        hops: vec![
            hop("nginx", 80, HopProtocol::Http, 10),
            hop("apache2", 8080, HopProtocol::Http, 20),
            hop("python3", 3001, HopProtocol::Http, 30),
            hop("python3", 3002, HopProtocol::Http, 40),
            hop("mariadbd", 3306, HopProtocol::Mysql, 50),
            hop("redis-server", 6379, HopProtocol::Redis, 60),
        ],
        edges: vec![
            edge(NGINX, APACHE, None),
            edge(APACHE, APP, Some("apps")),
            edge(APACHE, APP2, Some("apps")),
            edge(APP, DB, None),
            edge(APP2, DB, None),
            edge(APP, REDIS, None),
            edge(APP2, REDIS, None),
        ],
        now: 1_700_000_000,
        ..Scene::default()
    }
}

fn complain(scene: &mut Scene, hops: &[usize]) {
    for at in hops {
        probe(scene, *at).reply = ReplyOutcome::Complaint {
            code: "500".to_owned(),
            text: "500 Internal Server Error".to_owned(),
        };
        probe(scene, *at).is_replay = true;
    }
}

fn probe(scene: &mut Scene, hop: usize) -> &mut ProbeFacts {
    scene.hops[hop].probe.get_or_insert_default()
}

fn end(scene: &mut Scene, hop: usize) {
    scene.hops[hop].listener = None;
    scene.hops[hop].processes.clear();
    *probe(scene, hop) = ProbeFacts {
        connect: ConnectOutcome::Refused,
        ..ProbeFacts::default()
    };
}

fn hang(scene: &mut Scene, hop: usize) {
    probe(scene, hop).reply = ReplyOutcome::Silent;
}

fn stop(scene: &mut Scene, hop: usize) {
    hang(scene, hop);
    use_it(scene, hop);
    for process in &mut scene.hops[hop].processes {
        process.state = 'T';
    }
    scene.hops[hop].listener = Some(ListenerFacts {
        waiting: 3,
        most: 128,
        file: None,
    });
}

/// A connection to a hop was seen while the symptom was shown.
fn use_it(scene: &mut Scene, hop: usize) {
    for edge in scene.edges.iter_mut().filter(|edge| edge.to == hop) {
        edge.sources.push(EdgeSource::Socket {
            pid: 30,
            during_symptom: true,
        });
    }
}

fn log(scene: &mut Scene, hop: usize, text: &str) {
    scene.hops[hop].logs.push(LogLine {
        file: "/var/log/x.log".to_owned(),
        text: text.to_owned(),
        is_fresh: true,
    });
}

#[track_caller]
fn named(scene: &Scene, hop: usize, rule: &str) {
    let answer = diagnose_scene(scene);
    assert_eq!(answer.verdict, DiagnosisVerdict::Named, "{answer:#?}");
    let first = &answer.causes[0];
    assert_eq!((first.hop, first.rule), (hop, rule), "{answer:#?}");
    assert!(
        !first.evidence.is_empty() && !first.next.is_empty(),
        "{first:#?}"
    );
}

#[track_caller]
fn unknown(scene: &Scene) -> surefoot_diagnose::SceneDiagnosis {
    let answer = diagnose_scene(scene);
    assert_eq!(answer.verdict, DiagnosisVerdict::Unknown, "{answer:#?}");
    assert!(answer.unknown.is_some());
    answer
}

fn fast_500() -> Scene {
    let mut scene = world(SymptomOutcome::Status(500), 20);
    complain(&mut scene, &[APACHE, APP, APP2]);
    scene
}

fn slow_502() -> Scene {
    let mut scene = world(SymptomOutcome::Silent, 4000);
    for at in [APACHE, APP, APP2] {
        hang(&mut scene, at);
    }
    scene
}

#[test]
fn the_database_is_down_stopped_dropped_or_refused() {
    let mut scene = fast_500();
    end(&mut scene, DB);
    named(&scene, DB, "not-running");

    let mut scene = slow_502();
    stop(&mut scene, DB);
    named(&scene, DB, "stopped-process");

    let mut scene = slow_502();
    use_it(&mut scene, DB);
    *probe(&mut scene, DB) = ProbeFacts {
        connect: ConnectOutcome::TimedOut,
        ..ProbeFacts::default()
    };
    named(&scene, DB, "dropped-on-the-way");

    let mut scene = fast_500();
    *probe(&mut scene, DB) = ProbeFacts {
        connect: ConnectOutcome::Refused,
        ..ProbeFacts::default()
    };
    named(&scene, DB, "refused-on-the-way");
}

#[test]
fn an_application_that_connects_to_a_wrong_port_is_named_and_not_the_database() {
    let mut scene = fast_500();
    // What listens at 3306 is used by nothing; the applications use 3307.
    let real = scene.hops[DB].clone();
    scene.hops.push(real);
    scene.hops[DB].address = Some(tcp(3307));
    scene.hops[DB].program = None;
    end(&mut scene, DB);
    named(&scene, APP, "wrong-address");
}

#[test]
fn both_applications_down_or_one_of_them() {
    let mut scene = world(SymptomOutcome::Status(503), 20);
    end(&mut scene, APP);
    end(&mut scene, APP2);
    named(&scene, APP, "not-running");

    let mut scene = world(SymptomOutcome::Fine, 20);
    end(&mut scene, APP);
    let answer = diagnose_scene(&scene);
    assert_eq!(answer.verdict, DiagnosisVerdict::Degraded, "{answer:#?}");
    assert_eq!(answer.causes[0].hop, APP);

    // One is down, but it is the database that is to blame.
    let mut scene = fast_500();
    end(&mut scene, APP);
    end(&mut scene, DB);
    named(&scene, DB, "not-running");
    let answer = diagnose_scene(&scene);
    assert!(
        answer
            .causes
            .iter()
            .any(|cause| cause.hop == APP && cause.bearing == CauseBearing::Degrades),
        "{answer:#?}"
    );
}

#[test]
fn stopped_applications_cache_balancer_and_front() {
    let mut scene = slow_502();
    stop(&mut scene, APP);
    stop(&mut scene, APP2);
    named(&scene, APP, "stopped-process");

    let mut scene = slow_502();
    stop(&mut scene, REDIS);
    named(&scene, REDIS, "stopped-process");

    let mut scene = world(SymptomOutcome::Silent, 4000);
    stop(&mut scene, APACHE);
    named(&scene, APACHE, "stopped-process");

    let mut scene = world(SymptomOutcome::Refused, 0);
    end(&mut scene, NGINX);
    named(&scene, NGINX, "not-running");
}

#[test]
fn redis_says_what_it_refuses_and_what_it_does_not_say() {
    let mut scene = fast_500();
    probe(&mut scene, REDIS).figures = [
        ("maxmemory", "1048576"),
        ("used_memory", "1100000"),
        ("maxmemory_policy", "noeviction"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    // Who only reads is served: nothing shows that this request writes.
    let answer = unknown(&scene);
    assert_eq!(answer.causes[0].rule, "memory-limit");

    let mut scene = fast_500();
    probe(&mut scene, REDIS).reply = ReplyOutcome::Complaint {
        code: "MISCONF".to_owned(),
        text: "MISCONF Redis is configured to save RDB snapshots".to_owned(),
    };
    named(&scene, REDIS, "complaint");
}

#[test]
fn the_database_says_no_in_its_own_words() {
    let mut scene = fast_500();
    probe(&mut scene, DB).reply = ReplyOutcome::Complaint {
        code: "1040".to_owned(),
        text: "Too many connections".to_owned(),
    };
    named(&scene, DB, "complaint");

    let mut scene = fast_500();
    log(
        &mut scene,
        APP,
        "OperationalError: (1045, \"Access denied for user 'shop'@'127.0.0.1'\")",
    );
    // One line alone may be of another request than those that were sent.
    unknown(&scene);
    log(
        &mut scene,
        APP,
        "OperationalError: (1045, \"Access denied for user 'shop'@'127.0.0.1'\")",
    );
    named(&scene, APP, "log");

    let mut scene = fast_500();
    scene.symptom.answer = "(1146, \"Table 'shop.item' doesn't exist\")".to_owned();
    named(&scene, DB, "log");
}

#[test]
fn full_file_systems_and_limits() {
    let full = StorageFacts {
        path: "/srv/uploads".to_owned(),
        free: 0,
        size: 1 << 20,
        free_files: 90,
        files: 100,
    };
    let mut scene = fast_500();
    scene.hops[APP].storage.push(full.clone());
    log(
        &mut scene,
        APP,
        "OSError: [Errno 28] No space left on device",
    );
    named(&scene, APP, "storage-full");

    let mut scene = fast_500();
    scene.hops[APP].storage.push(StorageFacts {
        free: 1 << 19,
        free_files: 0,
        ..full.clone()
    });
    log(
        &mut scene,
        APP,
        "OSError: [Errno 28] No space left on device",
    );
    named(&scene, APP, "storage-full");

    let mut scene = world(SymptomOutcome::Fine, 20);
    scene.hops[DB].storage.push(full);
    let answer = diagnose_scene(&scene);
    assert_eq!(answer.verdict, DiagnosisVerdict::Degraded);
    assert_eq!(answer.causes[0].bearing, CauseBearing::Latent);

    let mut scene = fast_500();
    for app in [APP, APP2] {
        scene.hops[app].processes[1].open_files = Some(32);
        scene.hops[app].processes[1].open_files_limit = Some(32);
    }
    named(&scene, APP, "open-files-limit");
}

#[test]
fn what_keeps_the_balancer_from_running() {
    let mut scene = world(SymptomOutcome::Status(502), 5);
    end(&mut scene, APACHE);
    named(&scene, APACHE, "not-running");

    let config = ConfigFacts {
        file: "/etc/apache2/apache2.conf".to_owned(),
        test: "apache2ctl -t".to_owned(),
        ..ConfigFacts::default()
    };
    scene.hops[APACHE].config = Some(ConfigFacts {
        complaint: Some("Syntax error on line 7".to_owned()),
        ..config.clone()
    });
    named(&scene, APACHE, "broken-configuration");

    scene.hops[APACHE].config = Some(ConfigFacts {
        pid_file: Some(PidFileFacts {
            path: "/run/apache2.pid".to_owned(),
            pid: 77,
            holder: Some("cron".to_owned()),
        }),
        ..config.clone()
    });
    named(&scene, APACHE, "stale-pid-file");

    let mut scene = world(SymptomOutcome::Silent, 4000);
    hang(&mut scene, APACHE);
    scene.hops[APACHE].config = Some(config);
    for process in &mut scene.hops[APACHE].processes {
        process.name = "socat".to_owned();
    }
    named(&scene, APACHE, "port-taken");

    let mut scene = world(SymptomOutcome::Status(503), 5);
    for app in [APP, APP2] {
        end(&mut scene, app);
        scene.hops[app].memory_kills = 1;
    }
    named(&scene, APP, "out-of-memory");
}

#[test]
fn workers_that_all_wait_for_a_silent_partner() {
    let mut scene = slow_502();
    scene.hops.truncate(3);
    scene.edges = vec![edge(0, 1, None), edge(1, 2, None)];
    use_it(&mut scene, 1);
    scene.hops[1].protocol = HopProtocol::FastCgi;
    scene.hops[1].listener = Some(ListenerFacts {
        waiting: 2,
        most: 511,
        file: None,
    });
    scene.hops[1].processes[1].waits_for = vec![tcp(3001)];
    scene.hops[2].protocol = HopProtocol::Tcp;
    probe(&mut scene, 2).reply = ReplyOutcome::NotAsked;
    named(&scene, 2, "silent-peer");
    // A worker that does something else speaks against it.
    scene.hops[1].processes.push(ProcessFacts {
        pid: 99,
        ..ProcessFacts::default()
    });
    named(&scene, 1, "workers-exhausted");
}

#[test]
fn a_socket_that_keeps_the_worker_out_and_a_name_that_moved() {
    let mut scene = world(SymptomOutcome::Status(502), 5);
    let path = "/run/php.sock";
    scene.hops[APACHE].address = Some(HopAddress::Unix(path.to_owned()));
    scene.hops[APACHE].protocol = HopProtocol::FastCgi;
    scene.hops[APACHE].listener = Some(ListenerFacts {
        file: Some(SocketFile {
            uid: 0,
            gid: 0,
            mode: 0o660,
        }),
        ..ListenerFacts::default()
    });
    named(&scene, APACHE, "socket-permission");
    scene.hops[APACHE].listener = Some(ListenerFacts {
        file: Some(SocketFile {
            uid: 0,
            gid: 33,
            mode: 0o660,
        }),
        ..ListenerFacts::default()
    });
    for process in &mut scene.hops[NGINX].processes {
        process.groups = vec![33];
    }
    unknown(&scene);

    let mut scene = world(SymptomOutcome::Status(404), 5);
    let moved = |last: &str| HopAddress::Tcp(format!("10.0.0.{last}:9100").parse().unwrap());
    scene.hops[APP].address = Some(moved("11"));
    scene.hops[APP2].address = Some(moved("12"));
    complain(&mut scene, &[APP]);
    scene.hops[NGINX].names.push(NameFacts {
        name: "app.site.test".to_owned(),
        port: 9100,
        place: "/etc/nginx/nginx.conf:9".to_owned(),
        addresses: vec!["10.0.0.12".parse().unwrap()],
        failure: None,
        used: vec!["10.0.0.11".parse().unwrap()],
    });
    named(&scene, NGINX, "stale-address");
    // Both answer: that it is the old one that is used does no harm.
    probe(&mut scene, APP).reply = ReplyOutcome::Good("200".to_owned());
    unknown(&scene);
}

#[test]
fn what_no_observation_supports_is_unknown() {
    unknown(&fast_500());
    unknown(&world(SymptomOutcome::WrongContent, 20));

    // Redis is down, and the applications answer the very request well: it is not the cause.
    let mut scene = world(SymptomOutcome::Status(500), 20);
    end(&mut scene, REDIS);
    for app in [APP, APP2] {
        probe(&mut scene, app).is_replay = true;
    }
    unknown(&scene);

    // A page that is not there is not the fault of a database that is down.
    let mut scene = world(SymptomOutcome::Status(404), 20);
    end(&mut scene, DB);
    unknown(&scene);

    // The answer came at once: what is stopped was not waited for.
    let mut scene = fast_500();
    stop(&mut scene, REDIS);
    unknown(&scene);

    // Nothing was connected to it: who waits, waits for something else.
    let mut scene = slow_502();
    stop(&mut scene, REDIS);
    for edge in &mut scene.edges {
        edge.sources.truncate(1);
    }
    unknown(&scene);

    // It is down, and no attempt to connect was refused: it was not tried.
    let mut scene = fast_500();
    end(&mut scene, REDIS);
    scene.refused_attempts = Some(0);
    unknown(&scene);
    scene.refused_attempts = Some(1);
    named(&scene, REDIS, "not-running");

    // The balancer is down, and what is in front of it answers with a status of its own.
    let mut scene = world(SymptomOutcome::Status(500), 5);
    end(&mut scene, APACHE);
    unknown(&scene);

    // The disk is full, and nothing says that it was written to.
    let mut scene = fast_500();
    scene.hops[APP].storage.push(StorageFacts {
        path: "/srv".to_owned(),
        size: 1 << 20,
        ..StorageFacts::default()
    });
    unknown(&scene);

    // Two that are down, neither seen in use: one of them.
    let mut scene = fast_500();
    end(&mut scene, DB);
    end(&mut scene, REDIS);
    unknown(&scene);
    // Until a log says which.
    let place = "/var/log/app.log".to_owned();
    for edge in &mut scene.edges {
        if edge.to == REDIS {
            edge.sources.push(EdgeSource::Log {
                place: place.clone(),
            });
        }
    }
    named(&scene, REDIS, "not-running");
}

#[test]
fn a_web_server_that_may_not_connect_is_named_by_its_own_line() {
    let line = |request: &str| {
        format!(
            "2026/01/01 [crit] 11#11: *1 connect() to unix:/run/a/app.sock failed (13: Permission denied) while \
             connecting to upstream, client: 127.0.0.1, request: \"GET {request} HTTP/1.1\", upstream: \"x\""
        )
    };
    let mut scene = world(SymptomOutcome::Status(502), 5);
    scene.hops[APACHE].address = Some(HopAddress::Unix("/run/a/app.sock".to_owned()));
    // The socket itself admits everyone, and answers root: a folder above it does not.
    scene.hops[APACHE].listener = Some(ListenerFacts {
        file: Some(SocketFile {
            uid: 5,
            gid: 6,
            mode: 0o666,
        }),
        ..ListenerFacts::default()
    });
    log(&mut scene, NGINX, &line("/"));
    named(&scene, APACHE, "upstream-denied");
    let answer = diagnose_scene(&scene);
    let cause = &answer.causes[0];
    assert!(cause.next.contains(&"namei -l /run/a/app.sock".to_owned()));
    let mode = "owner 5, group 6, mode 0666";
    assert!(
        cause.evidence.iter().any(|line| line.contains(mode)),
        "{cause:#?}"
    );
    // A line about another request is no proof.
    scene.hops[NGINX].logs.clear();
    log(&mut scene, NGINX, &line("/other"));
    unknown(&scene);

    let mut scene = world(SymptomOutcome::Status(502), 5);
    let tcp = line("/").replace("unix:/run/a/app.sock", "127.0.0.1:8080");
    log(&mut scene, NGINX, &tcp);
    named(&scene, APACHE, "upstream-denied");
}

#[test]
fn a_file_that_is_missing_or_shut_is_named_with_its_path() {
    let line = |why: &str| {
        format!(
            "[error] 11#11: *1 open() \"/srv/x/a.html\" failed ({why}), client: 127.0.0.1, request: \"GET / HTTP/1.1\""
        )
    };
    for (status, why) in [
        (404, "2: No such file or directory"),
        (403, "13: Permission denied"),
    ] {
        let mut scene = world(SymptomOutcome::Status(status), 5);
        scene.hops.truncate(1);
        scene.edges.clear();
        log(&mut scene, NGINX, &line(why));
        named(&scene, NGINX, "log");
        let next = &diagnose_scene(&scene).causes[0].next;
        assert_eq!(next[0], "namei -l /srv/x/a.html");
    }
    // Beside another status it is of another request.
    let mut scene = world(SymptomOutcome::Status(500), 5);
    log(&mut scene, NGINX, &line("2: No such file or directory"));
    unknown(&scene);
}

#[test]
fn a_port_shows_a_symptom_or_nothing_was_asked() {
    let port = |outcome| {
        let mut scene = world(outcome, 0);
        scene.symptom.question.clear();
        scene
    };
    // The second of two ports is stopped: as much of a symptom as the first.
    let mut scene = port(SymptomOutcome::Silent);
    scene.hops.truncate(2);
    scene.edges.clear();
    scene.fronts = 2;
    stop(&mut scene, APACHE);
    named(&scene, APACHE, "stopped-process");

    let mut scene = port(SymptomOutcome::NotAsked);
    probe(&mut scene, NGINX).reply = ReplyOutcome::Complaint {
        code: "403".to_owned(),
        text: "403 of nginx".to_owned(),
    };
    let answer = diagnose_scene(&scene);
    assert_eq!(answer.verdict, DiagnosisVerdict::Unknown);
    let why = answer.unknown.unwrap_or_default();
    assert!(
        why.contains("give a URL, such as http://127.0.0.1:80/"),
        "{why}"
    );
    let answer = diagnose_scene(&port(SymptomOutcome::NotAsked));
    assert_eq!(answer.verdict, DiagnosisVerdict::Healthy);
}

#[test]
fn a_slow_answer_is_no_fault_and_the_deepest_hop_that_fails_is_named() {
    let mut scene = world(SymptomOutcome::Fine, 3000);
    for at in [NGINX, APACHE] {
        hang(&mut scene, at);
        probe(&mut scene, at).is_replay = true;
    }
    let answer = diagnose_scene(&scene);
    assert_eq!(answer.verdict, DiagnosisVerdict::Healthy, "{answer:#?}");

    let mut scene = fast_500();
    probe(&mut scene, APP2).reply = ReplyOutcome::Good("200".to_owned());
    let why = diagnose_scene(&scene).unknown.unwrap_or_default();
    assert!(why.starts_with("python3 at 127.0.0.1:3001"), "{why}");
}

#[test]
fn what_should_listen_is_told_by_what_starts_it_and_the_line_that_names_it() {
    let mut scene = world(SymptomOutcome::Status(502), 5);
    end(&mut scene, APACHE);
    scene.hops[APACHE].program = None;
    let cause = diagnose_scene(&scene).causes.remove(0);
    assert_eq!(
        cause.next,
        [
            "grep -rnsw 8080 /etc/systemd/system /etc/supervisor /etc/init.d   # what starts it",
            "surefoot edit /etc/x.conf   # if the address is wrong: line 3: proxy_pass"
        ]
    );
    scene.hops[APACHE].unit = Some("shop.service".to_owned());
    scene.hops[APACHE].unit_line = Some("/etc/shop.service:3: PORT=8080".to_owned());
    let cause = diagnose_scene(&scene).causes.remove(0);
    assert_eq!(cause.next[1], "systemctl start shop.service");
    assert_eq!(cause.daemon, "shop.service at 127.0.0.1:8080");
    let line = cause.evidence.last().map(String::as_str);
    assert_eq!(line, Some("/etc/shop.service:3: PORT=8080"));
    scene.hops[APACHE].unit = None;
    scene.hops[APACHE].protocol = HopProtocol::FastCgi;
    scene.hops[APACHE].address = Some(HopAddress::Unix("/run/php/php8.2-fpm.sock".to_owned()));
    let cause = diagnose_scene(&scene).causes.remove(0);
    assert_eq!(cause.next[1], "systemctl start php8.2-fpm");
}

#[test]
fn what_a_stranger_writes_or_a_page_says_is_no_evidence() {
    // A client's own words, in the line of another request.
    let mut scene = fast_500();
    for _ in 0..3 {
        log(
            &mut scene,
            NGINX,
            "[error] 7#7: *9 upstream prematurely closed connection, client: 192.0.2.7, server: , request: \"GET \
             /other HTTP/1.1\", referrer: \"worker_connections are not enough\"",
        );
    }
    unknown(&scene);
    // A stranger's wrong password is the database's line, not its fault.
    let mut scene = fast_500();
    for _ in 0..3 {
        log(
            &mut scene,
            DB,
            "[Warning] Access denied for user 'stranger'@'192.0.2.7'",
        );
    }
    unknown(&scene);
    // Prose.
    for text in [
        "line 1146: coupon X12 doesn't exist",
        "The table you booked is gone: restaurant is full",
        "Access denied for user bob: role editor is missing",
        "Too many open files selected, at most 5",
        "variable name could not be resolved in line 4",
        "Too many connections to this shop, come back later",
    ] {
        let mut scene = fast_500();
        text.clone_into(&mut scene.symptom.answer);
        unknown(&scene);
    }
}

#[test]
fn a_dead_backend_that_nobody_tried_is_not_the_cause() {
    let mut scene = world(SymptomOutcome::Status(503), 5);
    end(&mut scene, APACHE);
    // nginx says 502 where a connection is refused.
    unknown(&scene);
    scene.symptom.outcome = SymptomOutcome::Status(502);
    named(&scene, APACHE, "not-running");
    // It wrote nothing, and nothing was refused.
    scene.refused_attempts = Some(0);
    scene.hops[NGINX].log_files = vec!["/var/log/nginx/error.log".to_owned()];
    unknown(&scene);
}

#[test]
fn who_waits_for_a_store_that_answers_others_is_not_blamed() {
    let mut scene = world(SymptomOutcome::Silent, 4000);
    for at in [NGINX, APACHE, APP, APP2] {
        probe(&mut scene, at).reply = ReplyOutcome::Silent;
    }
    for at in [APP, APP2] {
        let address = scene.hops[DB].address.clone();
        for process in &mut scene.hops[at].processes {
            process.waits_for.extend(address.clone());
        }
    }
    let answer = unknown(&scene);
    assert!(
        answer.causes[0]
            .what
            .contains("may be slow, or held by a lock"),
        "{answer:#?}"
    );
}

#[test]
fn an_address_that_only_the_log_knows_is_named_unless_another_of_its_port_serves() {
    let line = |port: u16| {
        format!(
            "[error] 7#7: *9 connect() failed (111: Connection refused) while connecting to upstream, client: \
             127.0.0.1, server: , request: \"GET / HTTP/1.1\", upstream: \"http://[::1]:{port}/\", host: \"a\""
        )
    };
    let mut scene = world(SymptomOutcome::Status(502), 5);
    log(&mut scene, NGINX, &line(7001));
    named(&scene, NGINX, "upstream-refused");
    // `localhost` has an address of each family.
    let mut scene = world(SymptomOutcome::Fine, 5);
    log(&mut scene, NGINX, &line(8080));
    assert_eq!(diagnose_scene(&scene).verdict, DiagnosisVerdict::Healthy);
    let mut scene = world(SymptomOutcome::Status(502), 5);
    log(&mut scene, NGINX, &line(8080));
    unknown(&scene);
}
