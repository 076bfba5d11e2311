//! Ends sandboxes when this program is killed and cannot do so itself.
//!
//! A shell reads from a pipe which process groups run. When the pipe ends and groups are left, the
//! program is gone: the shell kills them and what is in their control groups, removes those and the
//! private folders.
//! (`PR_SET_PDEATHSIG` would need unsafe code between fork and exec.) What this leaves open is the
//! instant between a process's start and the line about it; such a runtime ends by itself, for its
//! Runtime API takes no connection any more.

use rustix::process::Pid;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// `$1` and `$2` are folders, the second may be empty; the rest are control groups.
const SCRIPT: &str = r#"trap '' INT TERM HUP QUIT
groups=' '
while read -r what id; do
  case $what in
    +) groups="$groups$id " ;;
    -) groups="${groups%% $id *} ${groups#* $id }" ;;
    q) exit 0 ;;
  esac
done
for id in $groups; do kill -KILL -- "-$id"; done
folder=$1 root=$2; shift 2
for turn in 1 2 3 4 5 6 7 8 9 10; do
  left=
  for group; do
    for inside in "$group"/*/; do
      while read -r id; do [ "$id" -gt 0 ] && kill -KILL "$id"; done < "$inside/cgroup.procs"
    done
    rmdir "$group"/*/ "$group"
    [ -d "$group" ] && left=1
  done
  [ "$left" ] || break
  sleep 0.1
done
rm -rf -- "$folder" ${root:+"$root"}"#;

/// The shell.
pub(super) struct Watcher {
    stdin: Mutex<Option<ChildStdin>>,
    child: Mutex<Child>,
}

impl Watcher {
    /// Starts the shell. `task_root` is the artefact's folder where that is private, too.
    pub(super) fn start(
        control_groups: Vec<PathBuf>,
        folder: &Path,
        task_root: Option<&Path>,
    ) -> io::Result<Self> {
        let mut child = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "gwtf-watcher"])
            .arg(folder)
            .arg(task_root.unwrap_or(Path::new("")))
            .args(control_groups)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What ends this program from a terminal must not end the shell first.
            .process_group(0)
            .spawn()?;
        let stdin = Mutex::new(child.stdin.take());
        Ok(Self { stdin, child: Mutex::new(child) })
    }

    /// A process group runs.
    pub(super) fn add(&self, group: Pid) {
        self.tell(format_args!("+ {}\n", group.as_raw_pid()));
    }

    /// A process group is about to be reaped.
    pub(super) fn remove(&self, group: Pid) {
        self.tell(format_args!("- {}\n", group.as_raw_pid()));
    }

    /// A watcher that somebody killed watches no more; sandboxes run without it.
    fn tell(&self, line: std::fmt::Arguments<'_>) {
        let mut stdin = self.stdin.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stdin) = stdin.as_mut() {
            let _ = stdin.write_all(line.to_string().as_bytes());
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.tell(format_args!("q\n"));
        *self.stdin.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let _ = self.child.lock().unwrap_or_else(PoisonError::into_inner).wait();
    }
}
