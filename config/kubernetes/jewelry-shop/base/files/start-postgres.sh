# Starts Patroni, but never on half a copy. A replica that loses its power while it copies the primary keeps a
# data directory with a control file in it: Patroni would take that for a database that crashed, recover it
# alone, and it could never follow anybody again. The copy's manifest gets its final name when all is there.
set -eu

data=/data/postgresql
if [ -e "$data/backup_manifest.tmp" ]; then
    echo "the copy in $data was cut short: it is made anew" >&2
    rm -rf "$data"
fi
exec patroni /config/patroni.yml
