# SPDX-License-Identifier: Apache-2.0
# All verdicts (an array) as a table in Markdown: a line for each vector and role, a column for each mode and mechanism, beside what
# the bare kernel does. Controls are told when they are wrong.

def column: "\(.mode), \(.mechanism)";
def row: "\(.vector) | \(.role)";
def cell: if . == null then "-" elif .good then .verdict + (if IN(.verdict; "missed", "seen") then " (announced)" else "" end) else "**\(.verdict)**" end;

(map(select(.kind != "control"))) as $runs
| (reduce $runs[] as $r ([]; if index([$r | column]) then . else . + [$r | column] end)) as $columns
| (reduce $runs[] as $r ([]; if index([$r.mode]) then . else . + [$r.mode] end)) as $modes
| "| vector | by | \($modes | map("bare kernel, " + .) | join(" | ")) | \($columns | join(" | ")) |",
  "|---|---|\($modes | map("---|") | join(""))\($columns | map("---|") | join(""))",
  (reduce $runs[] as $r ([]; if index([$r | row]) then . else . + [$r | row] end)
	| .[] as $row
	| [$runs[] | select(row == $row)] as $here
	| "| \($row) | \([$modes[] as $m | (first($here[] | select(.mode == $m)) // {bare: "-"}).bare] | join(" | ")) | \(
		[$columns[] as $c | (first($here[] | select(column == $c)) // null) | cell] | join(" | ")) |"),
  (.[] | select(.kind == "control" and (.good | not))
	| "\nControl that failed: \(column): \(.vector) by \(.role): \(.outcome) at \(.step)")
