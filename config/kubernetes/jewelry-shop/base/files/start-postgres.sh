# Starts Patroni on the data in $1, but never on half a copy; the lab and Kubernetes both run this file. A replica that
# loses its power while it copies the primary keeps what it had got. Without a control file, Patroni would wait for
# somebody to clear that away; with one, it would take it for a database that crashed, recover it alone, and that could
# never follow anybody again.
#
# The label of a copy is the first file that comes, and PostgreSQL takes it away as soon as it has begun to recover
# the copy. What has one was never in use, whether it is whole or not.
set -eu

data=$1
if [ -e "$data/backup_label" ] || { [ -e "$data" ] && [ ! -e "$data/global/pg_control" ]; }; then
    echo "what is in $data was never a database: it is copied anew" >&2
    rm -rf "$data"
fi
exec patroni /config/patroni.yml
