# Starts Redis as what it should be. One rule must hold: a server without data never starts as the
# master of others that have some, for they would become as empty as it is. That would happen to a
# master whose pod is replaced faster than Sentinel notices.
set -eu

me=$(hostname -f)
domain=${me#*.}
first=redis-0.$domain

# The master's name as the Sentinels know it; nothing if none of them answers.
named_master() {
    for sentinel in sentinel-0 sentinel-1 sentinel-2; do
        name=$(timeout 2 redis-cli -h "$sentinel.sentinel" -p 26379 --raw \
            sentinel get-master-addr-by-name mymaster 2>/dev/null | head -n 1) || continue
        case $name in redis-*) echo "$name" && return ;; esac
    done
}

# What another server answers to a command; nothing if it does not.
ask() {
    timeout 2 redis-cli -h "$1" --raw "$2" 2>/dev/null | head -n 1 || true
}

others() {
    for number in 0 1 2; do
        [ "redis-$number.$domain" = "$me" ] || echo "redis-$number.$domain"
    done
}

others_have_data() {
    for other in $(others); do
        case $(ask "$other" dbsize) in '' | 0) ;; *) return 0 ;; esac
    done
    return 1
}

have_data() {
    # The first file is there, empty, as soon as a server has started once.
    [ -n "$(find /data/appendonlydir -type f -name '*.aof' -size +0 2>/dev/null | head -n 1)" ]
}

# Prints the master to follow, or this server's own name if it is to be the master.
choose_master() {
    waited=0
    while :; do
        master=$(named_master)
        if [ -z "$master" ]; then
            # Sentinels start at the same time as this. Who calls itself the master is one.
            for other in $(others); do
                [ "$(ask "$other" role)" = master ] && echo "$other" && return
            done
            [ "$me" = "$first" ] || { echo "$first" && return; }
        elif [ "$master" != "$me" ] || have_data; then
            echo "$master" && return
        fi
        # This is the one. Without data it waits for a failover as long as there is something to lose,
        # and a moment longer for those that cannot be asked yet.
        if ! others_have_data && { [ -z "$master" ] || [ "$waited" -ge 30 ]; }; then
            echo "$me" && return
        fi
        [ "$waited" -gt 0 ] || echo "named as the master, without data: waiting for a failover" >&2
        waited=$((waited + 1))
        sleep 1
    done
}

master=$(choose_master)
set -- /config/redis.conf --replica-announce-ip "$me"
if [ "$master" != "$me" ]; then
    echo "following $master" >&2
    set -- "$@" --replicaof "$master" 6379
fi
exec redis-server "$@"
