# SPDX-License-Identifier: Apache-2.0
# The verdicts of one mode and mechanism (an array) as cases: result, name and what went wrong, parted by tabs.

group_by(.vector)[]
| map(select(.good | not)) as $bad
| (map(select(.verdict == "skipped"))) as $skipped
| [
	(if $bad != [] then "not ok" elif ($skipped | length) == length then "skip" else "ok" end),
	"\(.[0].mode), \(.[0].mechanism): \(.[0].vector)\(if $bad == [] and ($skipped | length) == length then " # " + $skipped[0].reason else "" end)",
	($bad | map("\(.kind) by \(.role): \(.verdict): \(.outcome) at \(.step), pid \(.pid); bare kernel: \(.bare)") | join("\\n    "))
] | join("\t")
