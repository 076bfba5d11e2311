//! Which git commit a folder is at, read from `.git` without running git.
//!
//! Formats: gitrepository-layout(5): `HEAD` holds an object id or `ref: NAME`; a worktree's `.git`
//! is a file `gitdir: PATH`, whose `commondir` names the folder that holds the refs.

use fs_err as fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest file of `.git` read, bytes: `packed-refs` is the only one that can be long.
const GIT_FILE_BYTES_MAX: u64 = 16 << 20;
/// Most symbolic refs followed.
const REFS_FOLLOWED_MAX: usize = 5;

/// The commit checked out in the repository that holds `folder`; `None` when there is no
/// repository, no commit yet, or a format that is not understood.
pub fn read_commit(folder: &Path) -> Option<String> {
    let folder = fs::canonicalize(folder).ok()?;
    let git = folder.ancestors().find_map(|parent| git_folder(&parent.join(".git")))?;
    let common = match read_line(&git.join("commondir")) {
        Some(relative) => git.join(relative),
        None => git.clone(),
    };
    let mut text = read_line(&git.join("HEAD"))?;
    for _ in 0..REFS_FOLLOWED_MAX {
        let Some(name) = text.strip_prefix("ref: ") else {
            return is_object_id(&text).then_some(text);
        };
        if !super::record::is_inside(name) {
            return None;
        }
        text = read_line(&git.join(name))
            .or_else(|| read_line(&common.join(name)))
            .or_else(|| packed(&common, name))?;
    }
    None
}

fn git_folder(path: &Path) -> Option<PathBuf> {
    if fs::metadata(path).ok()?.is_dir() {
        return Some(path.to_path_buf());
    }
    let line = read_line(path)?;
    Some(path.parent()?.join(line.strip_prefix("gitdir: ")?))
}

fn packed(common: &Path, name: &str) -> Option<String> {
    let text = read(&common.join("packed-refs"))?;
    text.lines().find_map(|line| {
        let (id, packed_name) = line.split_once(' ')?;
        (packed_name == name).then(|| id.to_owned())
    })
}

fn read_line(path: &Path) -> Option<String> {
    Some(read(path)?.lines().next()?.trim_end().to_owned())
}

fn read(path: &Path) -> Option<String> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    fs::File::open(path).ok()?.take(GIT_FILE_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn follows_head_loose_refs_and_packed_refs() {
        let id = format!("{ID}\n");
        let packed = format!("# pack-refs with: peeled\n{ID} refs/heads/main\n");
        let cases: [&[(&str, &str)]; 4] = [
            &[(".git/HEAD", &id)],
            &[(".git/HEAD", "ref: refs/heads/main\n"), (".git/refs/heads/main", &id)],
            &[(".git/HEAD", "ref: refs/heads/main\n"), (".git/packed-refs", &packed)],
            &[
                ("w/.git", "gitdir: ../main/.git/worktrees/w\n"),
                ("main/.git/worktrees/w/HEAD", "ref: refs/heads/main\n"),
                ("main/.git/worktrees/w/commondir", "../..\n"),
                ("main/.git/refs/heads/main", &id),
            ],
        ];
        for files in cases {
            let folder = repository(files);
            let inside = folder.path().join(if files[0].0 == "w/.git" { "w/src" } else { "src" });
            fs::create_dir_all(&inside).unwrap();
            assert_eq!(read_commit(&inside).as_deref(), Some(ID), "{files:?}");
        }
    }

    #[test]
    fn gives_nothing_for_what_it_does_not_understand() {
        let cases: [&[(&str, &str)]; 5] = [
            &[(".git/HEAD", "ref: refs/heads/main\n")],
            &[(".git/HEAD", "ref: ../../secret\n"), ("secret", ID)],
            &[(".git/HEAD", "ref: a\n"), (".git/a", "ref: a\n")],
            &[(".git/HEAD", "garbage\n")],
            &[(".git", "")],
        ];
        for files in cases {
            assert_eq!(read_commit(repository(files).path()), None, "{files:?}");
        }
    }
}
