# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests of the deploy stage share: a folder $work that goes with the script, and a case a line.

work=$(mktemp -d)
failed=0
finish_hooks=()

# shellcheck disable=SC2317 # reached by the trap
finish() {
	local hook
	for hook in "${finish_hooks[@]}"; do "$hook"; done
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# NAME CMD…: one case, whose status is CMD's; what CMD says is shown when it fails.
try() {
	local name=$1 status=0
	shift
	"$@" >"$work/output" 2>&1 || status=$?
	if [ "$status" = 0 ]; then
		printf 'ok - %s\n' "$name"
		return
	fi
	printf 'not ok - %s\n' "$name"
	sed 's/^/    /' "$work/output"
	# shellcheck disable=SC2034 # the script ends with it
	failed=1
	return "$status"
}

skip() { printf 'skip - %s # %s\n' "$1" "$2"; }

# REGEX CMD…: CMD fails, and says so.
fails_with() {
	local regex=$1 said
	shift
	if said=$("$@" 2>&1); then
		printf 'it succeeded: %s\n%s\n' "$*" "$said"
		return 1
	fi
	grep -qE -- "$regex" <<<"$said" || { printf '%s\n' "wanted: $regex; said:" "$said"; return 1; }
}
