//! What runs inside of the victim. Needs `bash` and the usual small tools there.
//!
//! Every process or file that is left there bears the strike's mark as its name, so that it can be found again and
//! ended, by whatever process and how often soever. What varies is an argument and no part of a script, so
//! that nothing in it is code.

use assay_sdk::prelude::*;

/// A loop for each of `$1`.
pub(crate) const LOOPS: &str = "\
for ((each = 0; each < $1; each++)); do
    (exec -a \"$0\" bash -c 'while :; do :; done') </dev/null >/dev/null 2>&1 &
done";

/// Thousandths of a processor that all that runs here used together, over two seconds.
pub(crate) const USE: &str = "\
ticks() {
    total=0
    for process in /proc/[0-9]*; do
        stat=
        read -r stat <\"$process/stat\"
        # Behind the name, which may have spaces in it. What has just ended counts for nothing.
        set -- ${stat##*) }
        total=$((total + ${12:-0} + ${13:-0}))
    done 2>/dev/null
}
read -r begun _ </proc/uptime
ticks
before=$total
sleep 2
read -r ended _ </proc/uptime
ticks
# Both are in hundredths of a second.
echo $(((total - before) * 1000 / (10#${ended/.} - 10#${begun/.})))";

/// What the system is to end for want of memory first: whatever is here already and was to be ended as late as this
/// script itself. Nobody else gives what was lower 1000, the most that there is, and so what has it can be told by it,
/// its children, too.
pub(crate) const FIRST: &str = "\
read -r own </proc/self/oom_score_adj
for process in /proc/[0-9]*; do
    [ \"$process\" = \"/proc/$$\" ] && continue
    read -r score <\"$process/oom_score_adj\" && [ \"$score\" = \"$own\" ] && [ \"$own\" -lt 1000 ] &&
        echo 1000 >\"$process/oom_score_adj\"
done 2>/dev/null
true";

/// Puts back what `FIRST` changed.
pub(crate) const AS_BEFORE: &str = "\
read -r own </proc/self/oom_score_adj
for process in /proc/[0-9]*; do
    read -r score <\"$process/oom_score_adj\" && [ \"$score\" = 1000 ] && echo \"$own\" >\"$process/oom_score_adj\"
done 2>/dev/null
true";

/// Fills a memory of `$1` bytes. What is to be ended first is ahead by as many thousandths of them as its score is; where
/// an orchestrator gives nearly the highest score to all that it starts, that is not much. So what fills the memory is many,
/// each of half that lead: a block that was read, and that nobody takes. Goes on by itself, for the end of
/// the instance may be the end of this script.
pub(crate) const FILL: &str = "\
fill='
exec 3> >(exec -a \"$0\" sleep infinity)
read -r own </proc/self/oom_score_adj
block=$(($1 / 1000 * (1000 - own) / 2))
[ \"$block\" -lt $(($1 / 1024)) ] && block=$(($1 / 1024))
[ \"$block\" -gt $(($1 / 16)) ] && block=$(($1 / 16))
for ((filled = 0; filled <= $1; filled += block)); do
    (exec -a \"$0\" dd if=/dev/zero bs=\"$block\" count=1 >&3) &
done
wait'
(exec -a \"$0\" bash -c \"$fill\" \"$0\" \"$1\") </dev/null >/dev/null 2>&1 &";

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

/// Bytes that `$1` has room for, and whether it is to be written to by this.
pub(crate) const ROOM: &str = "\
[ -d \"$1\" ] && [ -w \"$1\" ] || { echo \"$1 is no folder that can be written to\" >&2; exit 1; }
room=$(stat -f -c '%a * %S' -- \"$1\") && echo $(($room))";

/// Fills `$1` with at most `$2` bytes.
pub(crate) const OCCUPY: &str = "\
: >\"$1/$0\" || exit 1
head -c \"$2\" /dev/zero >>\"$1/$0\" 2>/dev/null
true";

/// One byte more.
pub(crate) const ONE_MORE: &str = "printf x >>\"$1/$0\"";

/// Gives back what was taken of `$1`.
pub(crate) const VACATE: &str = "rm -f -- \"$1/$0\"";

/// Runs one of these inside an instance, and answers what it printed.
pub(crate) fn run(instance: &str, script: &str, mark: &str, arguments: &[&str]) -> Result<String> {
    let command = [&["bash", "-c", script, mark], arguments].concat();
    let ran = cluster::exec(instance, &command)?;
    match ran.exit_code {
        0 => Ok(ran.stdout),
        code => {
            let said = ran.stderr.trim();
            Err(Failure::other(format!("a script inside {instance} ended with exit code {code}: {said}")))
        }
    }
}

#[cfg(test)]
mod tests;
