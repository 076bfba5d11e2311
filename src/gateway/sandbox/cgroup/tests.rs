use super::*;

#[test]
fn the_quota_is_the_memorys_share_of_a_core() {
    for (memory_mib, expected) in
        [(128, 1_447), (1_769, 20_000), (3_538, 40_000), (10_240, 115_771), (1, 1_000)]
    {
        assert_eq!(quota_us(memory_mib), expected, "{memory_mib} MiB");
    }
}
