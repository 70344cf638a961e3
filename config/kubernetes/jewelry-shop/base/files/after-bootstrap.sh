# Makes the shop's role and database, once, on the first primary. Patroni gives the way to connect;
# the password comes from a file, so that no argument list ever holds it.
psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 "$1" <<'SQL'
\set password `cat /secrets/database`
SET log_statement = 'none';
-- There is no replica yet that could confirm anything.
SET synchronous_commit = 'local';
CREATE ROLE shop LOGIN PASSWORD :'password';
CREATE DATABASE shop OWNER shop;
SQL
