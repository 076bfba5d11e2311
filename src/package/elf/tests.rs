use super::*;

/// A small program of every machine that the tests run on.
const PROGRAM: &str = "/usr/bin/env";

/// Its bytes without what only linkers and debuggers read, as `sstrip` leaves a file.
fn without_sections(mut bytes: Vec<u8>) -> Vec<u8> {
    let sections = u64::from_le_bytes(bytes[40..48].try_into().unwrap());
    bytes[40..48].fill(0);
    bytes[58..64].fill(0);
    bytes.truncate(usize::try_from(sections).unwrap());
    bytes
}

#[test]
fn a_program_says_what_it_needs() {
    let binary = read_file(Path::new(PROGRAM)).unwrap();
    assert_eq!(binary.architecture(), Architecture::host());
    assert!(binary.interpreter.as_ref().unwrap().contains("ld-linux"));
    assert!(binary.libraries.contains(&"libc.so.6".to_owned()), "{:?}", binary.libraries);
    let glibc = |version: &SymbolVersion| {
        version.library == "libc.so.6" && version.name.starts_with("GLIBC_2.")
    };
    assert!(binary.versions.iter().any(glibc), "{:?}", binary.versions);
    let bytes = fs_err::read(PROGRAM).unwrap();
    assert_eq!(read(&bytes[..]).unwrap(), binary);
    assert_eq!(read(&without_sections(bytes)[..]).unwrap(), binary);
}

#[test]
fn a_header_says_the_machine() {
    let bytes = fs_err::read(PROGRAM).unwrap();
    let host = Architecture::host().unwrap();
    assert_eq!(machine_of_header(&bytes[..64]), Some(machine(host)));
    assert_eq!(machine_of_header(&bytes[1..64]), None);
    assert_eq!(machine_of_header(&bytes[..19]), None);
    assert_eq!(machine_name(machine(Architecture::Arm64)), "arm64");
    assert_eq!(machine_name(8), "machine 8");
}

#[test]
fn other_files_are_told_apart() {
    let program = fs_err::read(PROGRAM).unwrap();
    let mut class32 = program[..64].to_vec();
    class32[4] = 1;
    let mut object_file = program.clone();
    object_file[16] = 1;
    let cases: [(&[u8], ElfError); 6] = [
        (b"", ElfError::NotElf),
        (b"\x7fELF", ElfError::NotElf),
        (b"#!/bin/sh\nexit 0\n", ElfError::NotElf),
        (&class32, ElfError::Class),
        (&object_file, ElfError::Kind),
        (&program[..60], ElfError::Damaged("its header")),
    ];
    for (bytes, expected) in cases {
        assert_eq!(read(bytes).unwrap_err(), expected);
    }
    let nowhere = read_file(Path::new("/nonexistent")).unwrap_err();
    assert_eq!(nowhere, ElfError::Unreadable(std::io::ErrorKind::NotFound));
    let mut other = program;
    other[18..20].copy_from_slice(&8_u16.to_le_bytes());
    assert_eq!(read(&other[..]).unwrap().architecture(), None);
}

#[test]
fn damaged_files_are_refused_or_read_and_never_a_panic() {
    let bytes = fs_err::read(PROGRAM).unwrap();
    for end in (0..bytes.len()).step_by(61) {
        let _ = read(&bytes[..end]);
    }
    let mut damaged = bytes.clone();
    // The headers, the strings and the dynamic section are where it hurts.
    for at in (0..8192).chain((8192..bytes.len()).step_by(3)).filter(|at| *at < bytes.len()) {
        for flip in [0x01, 0x80, 0xff] {
            damaged[at] ^= flip;
            let _ = read(&damaged[..]);
            damaged[at] ^= flip;
        }
    }
}
