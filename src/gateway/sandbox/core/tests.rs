use super::*;

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

fn core(concurrency: u32, is_reserved: bool) -> Core {
    Core::new(Bounds { concurrency, is_reserved, idle_ns: 60 * S }, 0)
}

fn id(placement: Placement) -> SandboxId {
    match placement {
        Placement::Reuse(sandbox) | Placement::Start(sandbox) => sandbox,
        Placement::Throttle(reason) => panic!("throttled: {reason:?}"),
    }
}

#[test]
fn the_sandbox_that_became_idle_last_is_used_again() {
    let mut core = core(10, true);
    let [a, b, c] = [0, 1, 2].map(|ms| id(core.place(ms * MS)));
    for (sandbox, ms) in [(b, 10), (a, 11), (c, 12)] {
        core.release(sandbox, ms * MS);
    }
    for sandbox in [c, a, b] {
        assert_eq!(core.place(20 * MS), Placement::Reuse(sandbox));
    }
    assert!(matches!(core.place(20 * MS), Placement::Start(_)));
}
