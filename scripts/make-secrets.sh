#!/usr/bin/env bash
# Makes what docker-compose.yml calls secrets, once: an authority of its own, a certificate for each process and for
# three people's roles, who may do what, certificates for NBD, and the database's password. Needs openssl 3.
#   scripts/make-secrets.sh [folder]     default: secrets. A file that is there already stays.
set -euo pipefail
folder=${1:-secrets}
readonly DAYS=825

mkdir -p "$folder"
# Others don't get in. Inside, files are readable for all: a container's user has another number than yours.
chmod 700 "$folder"
cd "$folder"

new_key() { openssl req "$@" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes 2>/dev/null; }

# authority NAME CERT KEY
authority() {
  [[ ! -e $3 ]] || return 0
  new_key -x509 -days 3650 -subj "/CN=$1" -keyout "$3" -out "$2" -addext keyUsage=critical,keyCertSign,cRLSign
  chmod 600 "$3"
}

# signed CA-CERT CA-KEY NAME CERT KEY [HOST...]: for a process that answers under these hosts, or for a caller only.
signed() {
  local ca_cert=$1 ca_key=$2 name=$3 cert=$4 key=$5 hosts=DNS:localhost,IP:127.0.0.1 host
  shift 5
  [[ ! -e $cert ]] || return 0
  for host in "$@"; do hosts=DNS:$host,$hosts; done
  new_key -x509 -CA "$ca_cert" -CAkey "$ca_key" -days "$DAYS" -subj "/CN=$name" -keyout "$key" -out "$cert" \
    -addext "subjectAltName=$hosts" -addext basicConstraints=critical,CA:FALSE
  chmod 644 "$key"
}

# certificate NAME [HOST...]: of control calls and streams.
certificate() {
  local name=$1
  shift
  signed ca.pem ca.key "$name" "$name.pem" "$name.key" "$@"
}

authority 'volume-mover authority' ca.pem ca.key
certificate replica-site replica-site
certificate appliance-1 appliance-1
certificate appliance-2 appliance-2
certificate host-1 splitter-host-1
certificate worker-1
certificate reader
certificate operator
certificate admin

# caller NAME ROLE: an entry of a list of callers.
caller() { printf '    { "name": "%s", "roles": ["%s"], "certificate": "%s" }' "$1" "$2" "$1"; }

# callers FILE ENTRY...: the list, unless it is there.
callers() {
  local file=$1 first=$2 entry
  shift 2
  [[ ! -e $file ]] || return 0
  {
    printf '{\n  "callers": [\n%s' "$first"
    for entry in "$@"; do printf ',\n%s' "$entry"; done
    printf '\n  ]\n}\n'
  } >"$file"
}

# Who may call the splitter and the appliances.
callers callers.json "$(caller worker-1 move)" "$(caller host-1 replicate)" "$(caller appliance-1 replicate)" \
  "$(caller appliance-2 replicate)" "$(caller reader read)" "$(caller operator operate)" "$(caller admin admin)"
# Who may call the replica site: the appliances alone, which pass on what they have let in.
callers callers-of-site.json "$(caller appliance-1 admin)" "$(caller appliance-2 admin)"

[[ -e database-password ]] || openssl rand -hex 24 >database-password

# NBD has an authority of its own: guests have its certificates. The files have the names that NBD clients look for.
mkdir -p nbd
authority 'volume-mover NBD authority' nbd/ca-cert.pem nbd-ca.key
signed nbd/ca-cert.pem nbd-ca.key server nbd/server-cert.pem nbd/server-key.pem appliance-1 appliance-2 splitter-host-1
signed nbd/ca-cert.pem nbd-ca.key client nbd/client-cert.pem nbd/client-key.pem
