#!/bin/sh
# Test code: stands for a CNI IPAM plugin, good or bad, by the delegation contract of the CNI specification 1.1.0.
# SPDX-License-Identifier: Apache-2.0
# The configuration's ipam.behaviour says what ADD does, ipam.del and so on what others do; ipam.log is a folder for what is noted.
input=$(cat)
log=$(printf '%s' "$input" | sed -n 's/.*"log":"\([^"]*\)".*/\1/p')
case $CNI_COMMAND in
ADD) key=behaviour ;;
*) key=$(printf '%s' "$CNI_COMMAND" | tr '[:upper:]' '[:lower:]') ;;
esac
what=$(printf '%s' "$input" | sed -n 's/.*"'"$key"'":"\([^"]*\)".*/\1/p')
echo "$CNI_COMMAND" >>"$log/commands"
printf '%s' "$input" >"$log/input.$CNI_COMMAND"
tr '\0' '\n' <"/proc/$$/environ" | sort >"$log/environment.$CNI_COMMAND"

result() {
	printf '{"cniVersion":"1.0.0","interfaces":[{"name":"x"}],"ips":[{"address":"10.9.0.5/24","gateway":"10.9.0.1","interface":0}],"routes":[{"dst":"0.0.0.0/0"}]}\n'
}

case $what in
'' | ok) [ "$CNI_COMMAND" != ADD ] || result ;;
descriptors) ls -l "/proc/$$/fd" >"$log/fds"; result ;;
hang) sleep 1000 & echo $! >"$log/pid"; wait ;;
stubborn) trap '' TERM INT HUP; sleep 1000 & echo $! >"$log/pid"; wait; wait ;;
stop) echo $$ >"$log/pid"; kill -STOP $$ ;;
children) sleep 1000 & echo $! >"$log/pid"; result ;;
closed) exec >&- 2>&-; echo $$ >"$log/pid"; sleep 1000 ;;
flood) yes ;;
flood-err) yes >&2 ;;
chatter) yes chatter | head -c 3000000 >&2; result ;;
die) kill -KILL $$ ;;
error) echo 'a line for people' >&2; printf '{"cniVersion":"1.0.0","code":11,"msg":"all \\"used\\" up","details":"pool p"}'; exit 1 ;;
text) echo 'no JSON'; echo 'something broke' >&2; exit 3 ;;
limited) printf '{"code":51,"msg":"half dead"}'; exit 1 ;;
garbage) echo hello ;;
half) printf '{"cniVersion":"1.0.0","ips":[' ;;
twins) printf '{"ips":[{"address":"10.9.0.5/24"}],"ips":[{"address":"10.9.0.6/24"}]}' ;;
none) echo '{"cniVersion":"1.0.0"}' ;;
old) echo '{"cniVersion":"0.2.0","ip4":{"ip":"10.9.0.5/24"}}' ;;
*) echo "no behaviour $what" >&2; exit 99 ;;
esac
