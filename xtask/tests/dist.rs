//! What `cargo xtask dist` makes, as those who get it find it: on a machine that has nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const INFER: &str = concat!("infer-", env!("CARGO_PKG_VERSION"), "-x86_64-linux");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project")
}

/// What a command prints; it must succeed.
fn output(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    assert!(status.success(), "{command:?}: {status}\n{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("text")
}

/// A folder that shall be `/` of a bare machine: the C and C++ libraries of this one, the unpacked tarball, a model and a
/// picture.
struct Bare {
    folder: tempfile::TempDir,
}

impl Bare {
    fn new(tarball: &Path) -> Self {
        let bare = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        output(Command::new("tar").arg("-xzf").arg(tarball).arg("-C").arg(bare.folder.path()));
        let programs = ["infer", "libonnxruntime.so.1.31.1"].map(|name| bare.folder.path().join(INFER).join(name));
        for line in output(Command::new("ldd").args(programs)).lines() {
            // `libm.so.6 => /lib/libm.so.6 (0x…)` or `/lib64/ld-linux-x86-64.so.2 (0x…)`
            if let Some(path) = line.split_whitespace().find(|word| word.starts_with('/') && !word.ends_with(':')) {
                bare.put(path, &fs_err::read(path).expect("a library"));
            }
        }
        bare.put("swap.onnx", &fs_err::read(root().join("infer/tests/fixtures/swap.onnx")).expect("a model"));
        bare.put("photos/red.ppm", b"P3 2 1 255  255 0 0  0 10 20");
        fs_err::create_dir(bare.folder.path().join("proc")).expect("writable");
        bare
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let place = self.path(path);
        fs_err::create_dir_all(place.parent().expect("below the folder")).expect("writable");
        fs_err::write(&place, bytes).expect("writable");
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs_err::set_permissions(place, executable).expect("ours");
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path.trim_start_matches('/'))
    }

    /// `infer` without a variable: with this folder as `/` where this system lets us, else from it.
    fn infer(&self, output: &str) -> Output {
        let words = ["--model", "swap.onnx", "photos", output, "--fit", "native"];
        let may_change_root = Command::new("unshare")
            .args(["--map-root-user", "--mount", "true"])
            .output()
            .is_ok_and(|output| output.status.success());
        let mut command = match may_change_root {
            true => {
                let script = "mount --rbind /proc \"$0/proc\" && exec env -i /usr/sbin/chroot \"$0\" \"$@\"";
                let mut command = Command::new("unshare");
                command.args(["--map-root-user", "--mount", "sh", "-c", script]).arg(self.folder.path());
                command.arg(format!("/{INFER}/infer"));
                command
            }
            false => {
                eprintln!("this system lets nobody change the root: only the environment is empty");
                let mut command = Command::new(self.path(INFER).join("infer"));
                command.env_clear();
                command
            }
        };
        command.args(words).current_dir(self.folder.path()).output().expect("it starts")
    }
}

/// One test, since what it looks at takes a minute to make.
#[test]
fn what_is_packed_runs_on_a_bare_machine_and_is_the_same_each_time() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dist = |name: &str| {
        let place = folder.path().join(name);
        let printed = output(Command::new(env!("CARGO_BIN_EXE_xtask")).args(["dist", "-o"]).arg(&place));
        let tarball = place.join(format!("{INFER}.tar.gz"));
        assert_eq!(printed.lines().next(), tarball.to_str(), "{printed}");
        assert!(printed.contains(" MB, unpacked "), "{printed}");
        (place, tarball)
    };
    let (place, tarball) = dist("once");
    let (_, again) = dist("again");
    assert!(fs_err::read(&tarball).expect("made") == fs_err::read(again).expect("made"), "another tarball each time");

    let names = output(Command::new("tar").arg("-tzf").arg(&tarball));
    let names: Vec<&str> = names.lines().filter_map(|name| name.strip_prefix(&format!("{INFER}/"))).collect();
    let expected = [
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.txt",
        "completions/_infer",
        "completions/_infer.ps1",
        "completions/infer.bash",
        "completions/infer.elv",
        "completions/infer.fish",
        "infer",
        "libonnxruntime.so.1.31.1",
        "licences/crates.txt",
        "licences/onnxruntime-LICENSE",
        "licences/onnxruntime-ThirdPartyNotices.txt",
        "man/infer.1",
    ];
    assert_eq!(names, expected);

    let bare = Bare::new(&tarball);
    let run = bare.infer("out");
    let messages = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{messages}");
    let translated = pictures::read(&bare.path("out/red.ppm")).expect("a picture");
    assert_eq!(translated.into_raw(), [0, 0, 255, 20, 10, 0], "red and blue are swapped");

    // It was the library beside it: without that there is none.
    fs_err::remove_file(bare.path(INFER).join("libonnxruntime.so.1.31.1")).expect("it is there");
    let run = bare.infer("other");
    let messages = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(3), "{messages}");
    assert!(messages.contains(&format!("{INFER}/libonnxruntime.so*: none")), "{messages}");
    assert!(messages.contains("put it beside this program") && !messages.contains(".native"), "{messages}");

    let program = fs_err::read(bare.path(INFER).join("infer")).expect("it is there");
    let built = root().to_str().expect("Unicode");
    assert!(!program.windows(built.len()).any(|bytes| bytes == built.as_bytes()), "it holds the path {built}");
    let notices = fs_err::read_to_string(bare.path(INFER).join("licences/crates.txt")).expect("text");
    for name in ["ort v2", "image v0.25", "clap v4", "moxcms v0.8"] {
        assert!(notices.contains(name), "nothing is said of {name}");
    }

    for page in ["trainer.1", "trainer-datasets-check.1", "exporter.1", "exporter-verify.1", "infer.1"] {
        let page = fs_err::read_to_string(place.join("pages/man").join(page)).expect("a man page");
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
    for (program, begun, flag) in [
        ("trainer", "--identity-w", "--identity-weight"),
        ("exporter", "--opse", "--opset"),
        ("infer", "--dry", "--dry-run"),
    ] {
        let file = place.join(format!("pages/completions/{program}.bash"));
        let script = format!(
            "source \"$0\"; COMP_WORDS=({program} {begun}); COMP_CWORD=1; _{program} {program} {begun} {program}; echo \"${{COMPREPLY[*]}}\""
        );
        assert_eq!(output(Command::new("bash").args(["-c", &script]).arg(file)).trim(), flag);
    }
}
