# PgBouncer reads passwords from a list only; it is made of the secret, in memory.
set -eu
umask 077
sed 's/"/""/g; s/.*/"shop" "&"/' /secrets/database >/run/users.txt
exec pgbouncer /config/pgbouncer.ini
