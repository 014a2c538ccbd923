#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What rdmatop costs: a screen of 200x60, 128 VFs with 60 counters each, once a second from a stand-in at the control socket. Not
# part of check: the figure depends on the machine.
#   rdmatop.sh [SECONDS]
set -euo pipefail

seconds=${1:-30}
. "$(dirname "$0")/../rdmatop/lib.sh"

record --vfs 128 --counters 60 --samples 20 --seconds 1 >"$work/recording"
"$here/standin.py" "$work/socket" "$work/recording" &
until [ -S "$work/socket" ]; do sleep 0.1; done
start 200 60 --socket "$work/socket"
shows 'of 128 devices'
# Not its first seconds, in which its memory grows.
sleep 3
pid=$(pgrep -f "^$rdmatop --socket $work/socket")

# Ticks of CPU, and how often it had to wait: each is a system call that slept.
used() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }

before=$(used) begin=$(date +%s%N)
sleep "$seconds"
after=$(used) end=$(date +%s%N)
awk -v ticks=$((after - before)) -v ns=$((end - begin)) -v hz="$(getconf CLK_TCK)" -v bytes="$(($(wc -c <"$work/recording") / 20))" \
	-v kib="$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")" 'BEGIN {
	share = ticks / hz / (ns / 1e9) * 100
	printf "rdmatop, 128 VFs, one refresh of %d KiB a second: %.2f %% of a core, %.1f MiB resident\n", bytes / 1024, share, kib / 1024
	exit share > 1 }'
finish
