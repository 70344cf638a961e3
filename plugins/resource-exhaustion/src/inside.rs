//! What runs inside of the victim. Needs `bash` and `tail` there.
//!
//! Every process that is left there bears the strike's mark as its name, so that it can be found again and
//! ended, by whatever process and how often soever. What varies is an argument and no part of a script, so
//! that nothing in it is code.

use assay_sdk::prelude::*;

/// A loop for each of `$1`.
pub(crate) const LOOPS: &str = "\
for ((each = 0; each < $1; each++)); do
    (exec -a \"$0\" bash -c 'while :; do :; done') </dev/null >/dev/null 2>&1 &
done";

/// The system ends what it is told to end first, and then whatever is largest. So what is here already is to be
/// first, and what fills the memory is many, none of which is large.
pub(crate) const FILL: &str = "\
for process in /proc/[0-9]*; do
    [ \"$process\" = \"/proc/$$\" ] || echo 1000 >\"$process/oom_score_adj\"
done 2>/dev/null
for ((each = 0; each < 16; each++)); do
    (exec -a \"$0\" tail /dev/zero) </dev/null >/dev/null 2>&1 &
done";

/// `$1` connections to `$2`:`$3`, each of which says `$4` and waits until it is hung up on; then again.
pub(crate) const CONNECT: &str = "\
one='
while :; do
    if exec 3<>\"/dev/tcp/$1/$2\"; then
        printf \"$3\" >&3
        read -r -N 1000000 -u 3
        exec 3>&-
    fi
    sleep 0.5
done'
for ((each = 0; each < $1; each++)); do
    (exec -a \"$0\" bash -c \"$one\" \"$0\" \"$2\" \"$3\" \"$4\") </dev/null >/dev/null 2>&1 &
done";

/// Ends what bears the mark, and looks again until none is left.
pub(crate) const END: &str = "\
for ((round = 0; round < 50; round++)); do
    left=
    for process in /proc/[0-9]*; do
        name=
        IFS= read -r -d '' name 2>/dev/null <\"$process/cmdline\"
        if [ \"$name\" = \"$0\" ]; then
            left=1
            kill -KILL \"${process#/proc/}\"
        fi
    done 2>/dev/null
    [ -z \"$left\" ] && exit 0
    sleep 0.1
done
exit 1";

/// Runs one of these inside an instance.
pub(crate) fn run(instance: &str, script: &str, mark: &str, arguments: &[&str]) -> Result<()> {
    let command = [&["bash", "-c", script, mark], arguments].concat();
    let ran = cluster::exec(instance, &command)?;
    match ran.exit_code {
        0 => Ok(()),
        code => {
            let said = ran.stderr.trim();
            Err(Failure::other(format!("a script inside {instance} ended with exit code {code}: {said}")))
        }
    }
}
