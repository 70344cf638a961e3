# Starts Sentinel with what it knew, or else with what the others know.
set -eu

me=$(hostname -f)
namespace=${me#*.*.}
config=/data/sentinel.conf

# The master, as other Sentinels know it, or as a server calls itself; the first server at the very start.
master() {
    for number in 0 1 2; do
        sentinel=sentinel-$number.sentinel.$namespace
        [ "$sentinel" = "$me" ] && continue
        name=$(timeout 2 redis-cli -h "$sentinel" -p 26379 --raw \
            sentinel get-master-addr-by-name mymaster 2>/dev/null | head -n 1) || continue
        case $name in redis-*) echo "$name" && return ;; esac
    done
    for number in 0 1 2; do
        server=redis-$number.redis.$namespace
        role=$(timeout 2 redis-cli -h "$server" --raw role 2>/dev/null | head -n 1) || continue
        [ "$role" = master ] && echo "$server" && return
    done
    echo "redis-0.redis.$namespace"
}

if ! [ -s "$config" ]; then
    master=$(master)
    # Sentinel ends if it cannot resolve a name that it is given.
    until getent hosts "$master" >/dev/null && getent hosts "$me" >/dev/null; do sleep 0.2; done
    cat >"$config.new" <<CONFIG
port 26379
protected-mode no
dir /data
# The same at every start, so that the others do not count a replaced pod twice.
sentinel myid $(printf %s "$me" | sha1sum | cut -c 1-40)
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $me
sentinel monitor mymaster $master 6379 2
sentinel down-after-milliseconds mymaster 3000
sentinel failover-timeout mymaster 10000
CONFIG
    mv "$config.new" "$config"
fi
exec redis-server "$config" --sentinel
