//! Deploys and rollbacks killed at random moments, under a client that calls all the time: what is
//! live is the old release or the new one, never neither.

#![expect(clippy::disallowed_methods, reason = "moments of a command are by the clock")]

use super::rig::{Rig, deploy, toml};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Each kind of command is killed this often.
const KILLS: u32 = 6;
const SEED: u64 = 0x6b69_6c6c;
/// Replies that are awaited after a kill.
const LOOK: usize = 3;

/// Longer than any command takes that nobody kills.
const UNHURT: Duration = Duration::from_secs(120);

/// What a command says before it changes anything.
const BEGINS: &str = "packaging ";

/// Starts a command that says what it does on stderr, and waits for a line of it, if any is named.
/// Kills it some time after that; gives the time that it had, if it ended by itself before.
fn killed_after(mut command: Command, begins: Option<&str>, after: Duration) -> Option<Duration> {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while begins.is_some_and(|begins| !line.starts_with(begins)) {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "it ended: {}", child.wait().unwrap());
    }
    let began = Instant::now();
    // The rest is read, so that the command never waits; it ends with the command.
    let reader = std::thread::spawn(move || {
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        (rest, began.elapsed())
    });
    let deadline = began + after;
    while !reader.is_finished() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    let status = child.wait().unwrap();
    let (rest, took) = reader.join().unwrap();
    assert!(status.success() || status.code().is_none(), "{status}: {rest}");
    status.success().then_some(took)
}

#[test]
fn killed_commands_leave_the_old_release_or_the_new_one() {
    let Some(rig) = Rig::start(&toml("")) else { return };
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut moment = |whole: Duration| whole.mul_f64(random.random_range(0.0..1.0));
    rig.deploy("iris", "v1", "");
    let watch = rig.watch();
    // How long it takes when nobody kills it, so that moments are spread over all of it.
    let command = rig.gwtf(&deploy("iris-v2", "v2", ""));
    let whole = killed_after(command, Some(BEGINS), UNHURT).unwrap();

    let mut live = "v2".to_owned();
    // A request that was on its way when its process was killed may still arrive.
    let mut late = live.clone();
    let mut unhurt = 0;
    for number in 3..3 + KILLS {
        let next = format!("v{number}");
        let name = if number % 2 == 0 { "iris-v2" } else { "iris" };
        let mark = watch.mark();
        // The one before left its lock.
        let command = rig.gwtf(&deploy(name, &next, "--break-lock"));
        unhurt += u32::from(killed_after(command, Some(BEGINS), moment(whole)).is_some());
        let seen = [watch.since(mark), watch.next(LOOK)].concat();
        let allowed = [&live, &late, &next];
        assert!(seen.iter().all(|one| allowed.contains(&one)), "{allowed:?}: {seen:?}");
        live = seen.last().unwrap().clone();
        late = next;
    }
    // What is left of them is in nobody's way.
    rig.deploy("iris", "v99", "--break-lock");
    assert_eq!(watch.next(LOOK), ["v99"; LOOK]);

    let timed = Instant::now();
    rig.run("rollback");
    let whole = timed.elapsed();
    let before = watch.next(1).remove(0);
    assert_ne!(before, "v99");
    for _ in 0..KILLS {
        let mark = watch.mark();
        unhurt += u32::from(killed_after(rig.gwtf("rollback"), None, moment(whole)).is_some());
        let seen = [watch.since(mark), watch.next(LOOK)].concat();
        assert!(seen.iter().all(|one| *one == before || one == "v99"), "{before}: {seen:?}");
    }
    assert!(unhurt < 2 * KILLS, "none was killed");
    rig.run("rollback --to v99");
    assert_eq!(watch.next(LOOK), ["v99"; LOOK]);
    watch.end();
}
