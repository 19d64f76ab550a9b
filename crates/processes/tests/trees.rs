//! Trees of many processes are stopped: none survives, and what that costs is held against the least that
//! the kernel needs to end as many.

mod subject;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use subject::{Subject, number_of, runs, tell_progress};
use surefoot_host::{Host, LiveOptions, ProcessLink};
use surefoot_processes::{StopOptions, StopReport, StopTarget, carry_out, gather_stop_plan};

/// Held by each test, so that no two of them end their hundreds of processes side by side.
static ALONE: Mutex<()> = Mutex::new(());

const GRACE: Duration = Duration::from_secs(1);

fn stop_with_tree(pid: u32) -> StopReport {
    let options = StopOptions {
        grace: Some(GRACE.as_secs()),
        tree: true,
        ..StopOptions::default()
    };
    let me = std::process::id();
    let plan = gather_stop_plan(&[StopTarget::Pid(pid)], options, 0, me).expect("a plan");
    assert_eq!(plan.refusals, []);
    carry_out(&plan, me, &mut |_| {}).expect("it is carried out")
}

/// How long after the grace the last process ended.
fn after_the_grace(report: &StopReport) -> Duration {
    let last = report.ended.iter().filter_map(|ended| ended.after);
    Duration::from_secs_f64(last.fold(0.0, f64::max)).saturating_sub(GRACE)
}

/// The processes of a tree by the group and session of its root, zombies left out.
fn alive_in_group(root: u32, known: &BTreeSet<u32>) -> Vec<u32> {
    let links = ProcessLink::live_all().expect("processes can be read");
    let alive = links.iter().filter(|link| !matches!(link.state, 'Z' | 'X'));
    alive
        .filter(|link| link.group == root || known.contains(&link.pid))
        .map(|link| link.pid)
        .collect()
}

fn stop_tree(kind: &str, count: usize) -> (StopReport, Vec<u32>) {
    let subject = Subject::start(&[kind, &count.to_string()]);
    let host = Host::live_processes(&LiveOptions::default());
    let below = |pid: u32| host.ancestors(pid).contains(&subject.pid);
    let all = host.processes.iter().flatten().map(|process| process.pid);
    let known: BTreeSet<u32> = all.filter(|pid| below(*pid)).collect();
    let report = stop_with_tree(subject.pid);
    let alive = alive_in_group(subject.pid, &known);
    (report, alive)
}

/// How long after its grace a tree may take, with room for a machine that is busy with other tests.
const AFTER_THE_GRACE: Duration = Duration::from_secs(5);

#[test]
fn a_tree_of_every_kind_of_child_leaves_no_survivor() {
    let count = number_of("SUREFOOT_STOP_TREE").unwrap_or(200);
    trees_leave_no_survivor("tree", count, |report| report.ended.len() > count);
}

#[test]
fn a_tree_that_forks_on_leaves_no_survivor() {
    trees_leave_no_survivor("fork-on", 0, |report| !report.ended.is_empty());
}

/// Nothing but the parent tells these children, so all of them have to be found before it is killed.
#[test]
fn children_that_leave_their_group_are_found_up_to_the_last_one() {
    let _alone = ALONE.lock();
    for _ in 0..runs() {
        let subject = Subject::start(&["scatter"]);
        let report = stop_with_tree(subject.pid);
        let name = format!("scatter{}", subject.pid);
        let links = ProcessLink::live_all().expect("processes can be read");
        let alive: Vec<u32> = links
            .iter()
            .filter(|link| !matches!(link.state, 'Z' | 'X'))
            .map(|link| link.pid)
            .filter(|pid| {
                let comm = std::fs::read_to_string(format!("/proc/{pid}/comm"));
                comm.is_ok_and(|comm| comm.trim_end() == name)
            })
            .collect();
        for pid in &alive {
            subject::send(*pid, "KILL");
        }
        assert_eq!((report.survivors.len(), alive.len()), (0, 0), "{alive:?}");
        tell_progress(&format!(
            "scatter: {} ended, 0 survivors",
            report.ended.len()
        ));
    }
}

/// Stops trees of a kind, and says how long after the grace the last process of each has ended.
fn trees_leave_no_survivor(kind: &str, count: usize, is_whole: impl Fn(&StopReport) -> bool) {
    let _alone = ALONE.lock();
    let trees = number_of("SUREFOOT_STOP_TREE").map_or(1, |_| runs());
    let mut late = Vec::new();
    for _ in 0..trees {
        let (report, alive) = stop_tree(kind, count);
        assert_eq!((report.survivors.len(), alive), (0, Vec::new()));
        assert!(is_whole(&report), "{} ended", report.ended.len());
        let after = after_the_grace(&report);
        assert!(after < AFTER_THE_GRACE, "{after:?}");
        late.push((after, report.ended.len()));
    }
    late.sort_unstable();
    let (median, most) = (late[late.len() / 2], late[late.len() - 1]);
    tell_progress(&format!(
        "{kind}: {trees} trees, 0 survivors; {} processes, the last ended {} ms after the grace (median), \
         at most {} ms",
        median.1,
        median.0.as_millis(),
        most.0.as_millis()
    ));
}

/// The processes of a tree that run, held; those whose parent is gone are of its group.
fn hold_tree(root: u32) -> Vec<rustix::fd::OwnedFd> {
    let host = Host::live_processes(&LiveOptions::default());
    let links = ProcessLink::live_all().expect("processes can be read");
    let is_member =
        |link: &&ProcessLink| link.group == root || host.ancestors(link.pid).contains(&root);
    let runs = links.iter().filter(|link| !matches!(link.state, 'Z' | 'X'));
    runs.filter(is_member)
        .filter_map(|link| {
            let pid = Pid::from_raw(i32::try_from(link.pid).ok()?)?;
            pidfd_open(pid, PidfdFlags::empty()).ok()
        })
        .collect()
}

/// The least that the kernel needs: KILL to as many known processes, one after the other, and the wait for the
/// last, with no look at what they fork meanwhile.
fn least_time(count: usize) -> Duration {
    let subject = Subject::start(&["deaf-tree", &count.to_string()]);
    let held = hold_tree(subject.pid);
    assert!(held.len() > count, "{} of {count}", held.len());
    // The machine is left alone for as long as it is by a stop.
    std::thread::sleep(GRACE);
    let begun = Instant::now();
    for pidfd in &held {
        pidfd_send_signal(pidfd, Signal::KILL).expect("it is there");
    }
    for pidfd in &held {
        let waited = rustix::event::Timespec {
            tv_sec: 20,
            tv_nsec: 0,
        };
        let ended = poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&waited));
        assert_eq!(ended, Ok(1), "it does not end");
    }
    begun.elapsed()
}

/// How many times the least time a stop may take, and what the rounding of its grace may add.
const MOST_TIMES: u32 = 4;
const ROUNDING: Duration = Duration::from_millis(10);

/// What is spent on finding what is forked meanwhile stays small beside what the kernel needs. Other work on the
/// machine makes either late at times, so the best of some pairs counts.
#[test]
fn a_deaf_tree_ends_nearly_as_fast_as_the_kernel_can_end_it() {
    let _alone = ALONE.lock();
    let asked = number_of("SUREFOOT_STOP_TREE");
    let count = asked.unwrap_or(200);
    let mut pairs = Vec::new();
    let is_near = |(ours, least): &(Duration, Duration)| *ours < *least * MOST_TIMES + ROUNDING;
    for _ in 0..runs().max(6) {
        let least = least_time(count);
        let subject = Subject::start(&["deaf-tree", &count.to_string()]);
        let report = stop_with_tree(subject.pid);
        assert!(report.survivors.is_empty() && report.ended.len() > count);
        pairs.push((after_the_grace(&report), least));
        if asked.is_none() && pairs.iter().any(is_near) {
            break;
        }
    }
    let middle = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    let ours = middle(pairs.iter().map(|pair| pair.0).collect());
    let least = middle(pairs.iter().map(|pair| pair.1).collect());
    let times = ours.as_secs_f64() / least.as_secs_f64();
    tell_progress(&format!(
        "deaf tree of {count}: the last ended {} ms after the grace (median of {}), the kernel alone needs {} ms: \
         {times:.1} times",
        ours.as_millis(),
        pairs.len(),
        least.as_millis()
    ));
    assert!(pairs.iter().any(is_near), "{pairs:?}");
}
