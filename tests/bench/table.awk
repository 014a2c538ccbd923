# SPDX-License-Identifier: Apache-2.0
# The table, from the samples of bench.sh and the verdicts in the lab and on the machine itself.
#   awk -f table.awk SAMPLES VERDICTS NATIVE-VERDICTS

FILENAME == ARGV[1] {
	value[$1, $2, $3, $4] = $5
	if ($2 > rounds[$1, $4]) rounds[$1, $4] = $2
	if (sub(/^stat:/, "", $4)) statistics[++stat_count] = $1 "\t" $3 "\t" $4 "\t" $5
	next
}
BEGIN { FS = "\t" }
FILENAME == ARGV[2] { lab[$1] = $2; names[++name_count] = $1; next }
{ native[$1] = $2 }

# sorted[1..n] of the list, by insertion: rounds are few.
function sort(n,    i, j, v) {
	for (i = 2; i <= n; i++) {
		v = sorted[i]
		for (j = i - 1; j >= 1 && sorted[j] > v; j--) sorted[j + 1] = sorted[j]
		sorted[j + 1] = v
	}
}

function quantile(n, q) { return sorted[int((n - 1) * q + 0.5) + 1] }

# Fills `sorted` with what `how` makes of the rounds: value, ratio to none, difference to none.
function collect(guard, what, arm, how, over,    r, n, v, base) {
	if (over == "") over = "none"
	n = 0
	for (r = 1; r <= rounds[guard, what]; r++) {
		v = value[guard, r, arm, what] + 0
		base = value[guard, r, over, what] + 0
		if (v <= 0 || base <= 0) {
			print "bench: no " what " in round " r | "cat >&2"
			failed = 1
			continue
		}
		sorted[++n] = how == "ratio" ? v / base : how == "difference" ? v - base : v
	}
	sort(n)
	return n
}

function median(guard, what, arm, how, over) { return quantile(collect(guard, what, arm, how, over), 0.5) }

function quartiles(guard, what, arm, how, format,    n) {
	n = collect(guard, what, arm, how)
	return sprintf(format "–" format, quantile(n, 0.25), quantile(n, 0.75))
}

function row(a, b, c, d, e, f, g, h) { printf "%-29s %12s %7s %7s %13s %7s %11s %s\n", a, b, c, d, e, f, g, h }

function ratio_row(name, guard, what, unit, target,    n, r, ok) {
	r = median(guard, what, "warden", "ratio")
	n = collect(guard, what, "warden", "ratio")
	ok = target ? r <= target : quantile(n, 0.25) <= 1 && quantile(n, 0.75) >= 1
	row(name, sprintf("%.4g %s", median(guard, what, "none", "value"), unit),
	    sprintf("%.3f", median(guard, what, "empty", "ratio")), sprintf("%.3f", r),
	    quartiles(guard, what, "warden", "ratio", "%.3f"),
	    sprintf("%.3f", median(guard, what, "warden", "ratio", "empty")), target ? "<= " target : "no change", ok ? "met" : "missed")
}

function difference_row(name, guard, what,    d) {
	d = median(guard, what, "warden", "difference")
	row(name, sprintf("%.4g ns", median(guard, what, "none", "value")),
	    sprintf("%+.0f", median(guard, what, "empty", "difference")), sprintf("%+.0f", d),
	    quartiles(guard, what, "warden", "difference", "%+.0f"),
	    sprintf("%+.0f", median(guard, what, "warden", "difference", "empty")), "<= +300 ns", d <= 300 ? "met" : "missed")
}

# The emulator slows a program down as it slows down the verdict that is most of it.
function modify_row(guard,    i, s, name, ns) {
	name = "MODIFY_QP, " guard
	for (i = 1; i <= stat_count; i++) {
		split(statistics[i], s, "\t")
		if (s[1] != guard || s[2] != "warden" || s[3] !~ /^modify:ioctl_/) continue
		if (!(name in native) || lab[name] <= 0) {
			printf "  %-9s %s: no native figure here\n", guard, s[3]
			continue
		}
		ns = s[4] * native[name] / lab[name]
		printf "  %-9s %-28s %6.0f ns in the lab, / %.1f = %.0f ns  %s\n", guard, s[3], s[4], lab[name] / native[name], ns, ns <= 1000 ? "met" : "missed"
	}
}

function guard_rows(guard) {
	ratio_row("open, regular file, " guard, guard, "open-regular", "ns", 1.02)
	ratio_row("open, /dev/null, " guard, guard, "open-null", "ns", 1.02)
	difference_row("owner's QUERY_QP, " guard, guard, "ioctl-query")
	difference_row("owner's MODIFY_QP, " guard, guard, "ioctl-modify")
}

END {
	row("", "without", "empty", "with", "quartiles", "own", "target", "")
	guard_rows("lsm")
	guard_rows("fmod_ret")
	ratio_row("ib_write_bw, 4096 bytes", "lsm", "write-bw", "pkt/s", 0)
	ratio_row("ib_write_lat, 2 bytes", "lsm", "write-lat", "pkt/s", 0)
	print "\nOpens and traffic as ratios to the same round without a program, ioctls as differences; medians of the rounds."
	print "own: with over empty, what the warden costs beyond any other program on the same hooks."

	print "\nWhat the kernel's run-time statistics say of each program, ns a run in the lab:"
	for (i = 1; i <= stat_count; i++) {
		split(statistics[i], s, "\t")
		printf "  %-9s %-7s %-28s %6s\n", s[1], s[2], s[3], s[4]
	}

	print "\nThe guard's verdict alone, over an empty call, ns:"
	printf "  %-20s %10s %10s\n", "", "in the lab", "native"
	for (i = 1; i <= name_count; i++)
		printf "  %-20s %10s %10s\n", names[i], lab[names[i]], names[i] in native ? native[names[i]] : "-"
	print "\nThe guard's program on the owner's MODIFY_QP, whole, natively: the kernel's statistics of it in the lab (above), by what"
	print "the same verdict takes here and there. The target is 1000 ns."
	modify_row("lsm")
	modify_row("fmod_ret")
	print "\nWithout KVM the lab emulates every instruction, the programs' too: ratios hold roughly, ns do not. The last"
	print "column is what the same code takes on this machine itself; the way into a hook's program is not in it."
	exit failed
}
