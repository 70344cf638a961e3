//! The scripts themselves, in a place of their own: a pid namespace in which there is nothing but a bystander. Making
//! one takes root, as the lab does.

use std::process::Command;

use super::*;

/// Runs a text in which `script NAME ARGUMENT…` runs one of the scripts with the mark `mark`, beside a bystander whose
/// process is `$bystander`. Answers what it printed.
fn alone(text: &str) -> String {
    let scripts = [
        ("FIRST", FIRST),
        ("AS_BEFORE", AS_BEFORE),
        ("FILL", FILL),
        ("LOOPS", LOOPS),
        ("USE", USE),
        ("CONNECT", CONNECT),
        ("END", END),
        ("ROOM", ROOM),
        ("OCCUPY", OCCUPY),
        ("ONE_MORE", ONE_MORE),
        ("VACATE", VACATE),
    ];
    let before = r#"
        script() { local name=$1; shift; bash -c "${!name}" mark "$@"; }
        marked() { cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' | grep -c '^mark$'; }
        sleep 1000 & bystander=$!
    "#;
    let mut command = Command::new("unshare");
    command.args(["--pid", "--mount", "--net", "--fork", "--kill-child", "--mount-proc", "bash", "-c"]);
    let output = command.arg(format!("{before}{text}")).envs(scripts).output().expect("unshare runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {said}", output.status);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn who_is_to_be_ended_first_is_so_until_it_is_put_back() {
    let scores = alone(
        r#"
        sleep 1000 & other=$!
        echo 300 >/proc/$other/oom_score_adj
        echo 100 >/proc/self/oom_score_adj; echo 100 >/proc/$bystander/oom_score_adj; echo 100 >/proc/$$/oom_score_adj
        script FIRST
        cat /proc/$bystander/oom_score_adj /proc/$other/oom_score_adj
        echo 100 >/proc/$$/oom_score_adj
        script AS_BEFORE
        cat /proc/$bystander/oom_score_adj /proc/$other/oom_score_adj
        "#,
    );
    assert_eq!(scores, "1000\n300\n100\n300");
}

#[test]
fn loops_run_until_they_are_ended_and_nothing_else_is() {
    let counts = alone(
        r#"
        script LOOPS 3
        for ((round = 0; round < 100; round++)); do [ "$(marked)" = 3 ] && break; sleep 0.05; done
        marked
        script END; script END
        marked || true
        kill -0 $bystander && echo there
        "#,
    );
    assert_eq!(counts, "3\n0\nthere");
}

#[test]
fn what_is_used_is_what_all_use_together() {
    let used = alone(
        r#"
        script USE
        script LOOPS 2
        script USE
        script END
        "#,
    );
    let used: Vec<u32> = used.lines().map(|line| line.parse().expect("thousandths")).collect();
    // Beside other tests two loops do not get two processors.
    assert!(used[0] < 100 && used[1] > used[0] + 100, "{used:?}");
}

/// By a limit of 64 MiB, behind a lead of a sixteenth, of twenty thousandths, and of nothing.
#[test]
fn memory_is_filled_by_many_that_are_small() {
    for (own, block_at_most) in [(0, 4096), (980, 655), (1000, 64)] {
        let said = alone(&format!(
            r#"
            echo {own} >/proc/self/oom_score_adj
            script FILL 67108864
            blocks() {{
                for process in /proc/[0-9]*; do
                    [ "$(cat "$process/comm")" = dd ] && awk '/^RssAnon/ {{ print $2 }}' "$process/status"
                done 2>/dev/null
            }}
            total() {{ blocks | awk '{{ sum += $1 }} END {{ print sum + 0 }}'; }}
            for ((round = 0; round < 200; round++)); do [ "$(total)" -ge 65536 ] && break; sleep 0.1; done
            [ "$(total)" -ge 65536 ] && echo filled
            blocks | sort -n | tail -n 1
            script END
            marked || true
            "#
        ));
        let [filled, largest, left] = said.lines().collect::<Vec<_>>()[..] else { panic!("{said}") };
        assert_eq!((filled, left), ("filled", "0"), "{own}");
        // Beside its block a process has some memory of its own.
        let largest: u32 = largest.parse().expect("kibibytes");
        assert!(largest <= block_at_most + 512, "{own}: {largest} KiB");
    }
}

#[test]
fn connections_are_held_until_they_are_ended() {
    // Nothing listens: each of them tries again and again, as it does when it is hung up on.
    let counts = alone(
        r#"
        script CONNECT 2 127.0.0.1 5432 greeting
        for ((round = 0; round < 100; round++)); do [ "$(marked)" -ge 2 ] && break; sleep 0.05; done
        [ "$(marked)" -ge 2 ] && echo held
        script END
        marked || true
        "#,
    );
    assert_eq!(counts, "held\n0");
}

#[test]
fn a_small_file_system_is_filled_and_given_back() {
    let said = alone(
        r#"
        mount -t tmpfs -o size=1m scratch /mnt
        script ROOM /mnt
        script OCCUPY /mnt 2097152
        script ONE_MORE /mnt 2>&1 | grep -o 'No space left on device'
        script ROOM /mnt
        script VACATE /mnt; script VACATE /mnt
        script ROOM /mnt
        script ROOM /mnt/none 2>&1 || echo refused
        "#,
    );
    let full = "No space left on device";
    assert_eq!(
        said,
        format!("1048576\n{full}\n0\n1048576\n/mnt/none is no folder that can be written to\nrefused")
    );
}

#[test]
fn no_more_is_written_than_may_be() {
    let said = alone(
        r#"
        mount -t tmpfs -o size=1m scratch /mnt
        script OCCUPY /mnt 65536
        stat -c %s /mnt/mark
        script ONE_MORE /mnt && echo taken
        "#,
    );
    assert_eq!(said, "65536\ntaken");
}
