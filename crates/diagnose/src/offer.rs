//! Where the fault lies in a configuration: the bisection that finds its lines, as a command.

use serde::Serialize;

use crate::observation::{Scene, SymptomOutcome};
use crate::rules::quote;

/// A bisection that can be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BisectOffer {
    /// The main file.
    pub config: String,
    /// Says whether the symptom is there.
    pub test: String,
    /// Says whether the daemon would take a candidate.
    pub syntax: String,
    /// Makes the daemon take it.
    pub reload: String,
}

impl BisectOffer {
    /// The command, as it is typed.
    pub fn command(&self) -> String {
        format!(
            "surefoot bisect {} --test {} --syntax {} --reload {}",
            quote(&self.config),
            quote(&self.test),
            quote(&self.syntax),
            quote(&self.reload)
        )
    }
}

/// The bisection of a hop's configuration; nothing if it has none that could be searched, or the symptom cannot be
/// asked for again.
pub fn offer_bisect(scene: &Scene, hop: usize, expect: Option<&str>) -> Option<BisectOffer> {
    let facts = scene.hops.get(hop)?;
    facts.listener?;
    let config = facts.config.as_ref()?;
    let reload = reload_of(&config.test)?;
    Some(BisectOffer {
        config: config.file.clone(),
        test: test_of(scene, expect)?,
        syntax: config.test.clone(),
        reload,
    })
}

/// The reload that goes with a program's own test of its configuration.
fn reload_of(test: &str) -> Option<String> {
    let (program, rest) = test.split_once(" -t")?;
    match program {
        "nginx" => Some(format!("nginx -s reload{rest}")),
        "apache2" | "apache2ctl" | "httpd" => Some(format!("{program}{rest} -k graceful")),
        _ => None,
    }
}

/// A command that ends with 0 if all is fine, with 1 if this symptom is there, and with 125 otherwise.
fn test_of(scene: &Scene, expect: Option<&str>) -> Option<String> {
    let symptom = &scene.symptom;
    if let Some(test) = symptom.question.strip_prefix("test: ") {
        let SymptomOutcome::TestFailed(status) = symptom.outcome else {
            return None;
        };
        return Some(format!(
            "({test}); case $? in 0) exit 0;; {status}) exit 1;; *) exit 125;; esac"
        ));
    }
    let url = quote(symptom.question.strip_prefix("GET ")?);
    let fetch = format!("curl -sk -m 9{}", symptom.options);
    let status = "-o /dev/null -w '%{http_code}'";
    match (&symptom.outcome, expect) {
        (SymptomOutcome::Status(code), None) => Some(format!(
            "case $({fetch} {status} {url}) in [23]??) exit 0;; {code}) exit 1;; *) exit 125;; esac"
        )),
        (SymptomOutcome::Status(code), Some(text)) => Some(format!(
            "case $({fetch} {status} {url}) in 2??) {fetch} {url} | grep -qF -- {} || exit 125;; {code}) exit 1;; \
             *) exit 125;; esac",
            quote(text)
        )),
        (SymptomOutcome::WrongContent, Some(text)) => Some(format!(
            "{fetch} -f -o /dev/null {url} || exit 125; {fetch} {url} | grep -qF -- {}",
            quote(text)
        )),
        (SymptomOutcome::RedirectLoop, _) => Some(format!(
            "{fetch} -fL --max-redirs 5 -o /dev/null {url}; case $? in 0) exit 0;; 47) exit 1;; *) exit 125;; esac"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{ConfigFacts, HopFacts, ListenerFacts, ShownSymptom};

    fn scene(question: &str, outcome: SymptomOutcome) -> Scene {
        Scene {
            symptom: ShownSymptom {
                question: question.to_owned(),
                outcome,
                ..ShownSymptom::default()
            },
            hops: vec![HopFacts {
                listener: Some(ListenerFacts::default()),
                config: Some(ConfigFacts {
                    file: "/etc/nginx/nginx.conf".to_owned(),
                    test: "nginx -t -c /etc/nginx/nginx.conf".to_owned(),
                    ..ConfigFacts::default()
                }),
                ..HopFacts::default()
            }],
            ..Scene::default()
        }
    }

    #[test]
    fn the_command_tests_for_the_very_symptom() {
        let scene = scene("GET http://a/x", SymptomOutcome::Status(502));
        let offer = offer_bisect(&scene, 0, None).expect("an offer");
        assert_eq!(offer.reload, "nginx -s reload -c /etc/nginx/nginx.conf");
        assert!(offer.test.contains("502) exit 1"), "{}", offer.test);
        assert!(
            offer
                .command()
                .starts_with("surefoot bisect /etc/nginx/nginx.conf --test '")
        );
    }

    #[test]
    fn what_cannot_be_asked_again_or_reloaded_is_not_offered() {
        let mut posted = scene("POST http://a/x", SymptomOutcome::Status(502));
        assert_eq!(offer_bisect(&posted, 0, None), None);
        posted.symptom.question = "test: sh t.sh".to_owned();
        assert_eq!(offer_bisect(&posted, 0, None), None, "not by the test");
        posted.symptom.outcome = SymptomOutcome::TestFailed(3);
        assert!(offer_bisect(&posted, 0, None).is_some());
        posted.hops[0].listener = None;
        assert_eq!(offer_bisect(&posted, 0, None), None, "it does not run");
    }
}
