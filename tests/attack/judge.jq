# SPDX-License-Identifier: Apache-2.0
# The verdict on each run of a vector. Input: what `attack` said. --slurpfile events: wardend's; bare: what `attack` said on the
# bare kernel in the same netns mode; capabilities: of `wardenctl capabilities --json`; --arg mode, mechanism.
#
#   refused  an error, and the event that says so      killed   the process, and the event that says so
#   kernel   the kernel itself refuses                 seen     carried out, but told by an event
#   missed   carried out, and nobody knows             silent   ended by nobody knows whom: no event, not the kernel
#   allowed  as it should be                           wrong    the owner, or a control, was refused

# A miss is announced where the table of capabilities says "unavailable" (missed, seen) or "fallback" (seen).
# --argjson skipped: calls that the kernel did not give to a program, by `wardenctl status`.

def of_same_run($r): select(.vector == $r.vector and .role == $r.role and .kind == $r.kind);

def same_device($r): $r.device == "" or .device == $r.device;

# The passing of a descriptor is judged once. Where the kernel skipped that, its use is what is refused.
def rules_of($r): [$r.rule] + if $r.rule == "exclusive.fd-pass" and $skipped > 0 then ["exclusive.inherited-fd"] else [] end;

def told($r; $verdicts):
	any($events[]; .kind == "violation" and .actor.pid == $r.pid and (.rule as $rule | rules_of($r) | index($rule)) and same_device($r)
		and (.verdict as $v | $verdicts | index($v)));

def accused($r): any($events[]; .kind == "violation" and .actor.pid == $r.pid);

def feature_state($feature): (first($capabilities[] | select(.feature == $feature) | .state) // "unknown");

def verdict($r; $b):
	if $r.outcome == "skipped" then "skipped"
	elif $r.kind != "attack" then if $r.outcome == "ok" and (accused($r) | not) then "allowed" else "wrong" end
	elif $r.outcome == "ok" then
		if told($r; ["observed", "killed", "denied"]) then "seen"
		else "missed" end
	elif $r.outcome == "SIGKILL" then if told($r; ["killed"]) then "killed" else "silent" end
	elif told($r; ["denied"]) then "refused"
	elif told($r; ["killed"]) then "killed"
	elif $b.outcome == $r.outcome then "kernel"
	else "silent" end;

def bare_word($b): if $b == null then "not run" elif $b.outcome == "ok" then "through" else $b.outcome end;

# A control that the bare kernel refuses as well says nothing of the guard.
def control_of_kernel($r; $b): $r.kind == "control" and $b.outcome == $r.outcome and $r.outcome != "ok" and (accused($r) | not);

. as $r
| (first($bare[] | of_same_run($r)) // null) as $b
| (if control_of_kernel($r; $b) then "kernel" else verdict($r; $b) end) as $verdict
| feature_state($r.feature) as $state
| (($verdict | IN("refused", "killed", "kernel", "allowed", "skipped"))
	or ($verdict == "missed" and $state == "unavailable")
	or ($verdict == "seen" and ($state | IN("unavailable", "fallback")))) as $good
| $r + { $mode, $mechanism, bare: bare_word($b), $verdict, $state, $good }
