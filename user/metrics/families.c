// SPDX-License-Identifier: Apache-2.0
/* What wardend tells of itself and of the node. */
#include "metrics/families.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "lib/rules.h"
#include "lib/util.h"
#include "lib/version.h"
#include "report/events.h"

#define END \
	{   \
	}

static void one(struct exposition *e, enum metric_type type, const char *name, const char *help, uint64_t value)
{
	exposition_family(e, type, name, help);
	exposition_sample(e, NULL, NULL, value);
}

/* ---- what wardend is ---- */

static void capabilities(const struct snapshot *s, struct exposition *e)
{
	static const char *const states[] = {
		[FEATURE_ACTIVE] = "active", [FEATURE_FALLBACK] = "fallback", [FEATURE_UNAVAILABLE] = "unavailable"
	};

	exposition_family(e, METRIC_GAUGE, "rdma_warden_capability", "What this kernel gives: 1 for each feature.");
	for (size_t i = 0; i < s->features.count; i++) {
		const struct feature *f = &s->features.items[i];

		exposition_sample(
			e, NULL,
			(struct label[]){ { "feature", f->name }, { "state", states[f->state] }, { "by", f->by }, END },
			1);
	}
}

static void identity(const struct snapshot *s, struct exposition *e)
{
	exposition_family(e, METRIC_INFO, "rdma_warden_build_info", "The version of wardend.");
	exposition_sample(e, NULL, (struct label[]){ { "version", warden_version }, END }, 1);
	one(e, METRIC_GAUGE, "rdma_warden_enforcing", "1: the rule is enforced; 0: it is audited.",
	    s->config->mode == MODE_ENFORCE);
	exposition_family(e, METRIC_INFO, "rdma_warden_guard_info", "The mechanism that refuses.");
	exposition_sample(e, NULL, (struct label[]){ { "mechanism", snapshot_guard(s) }, END }, 1);
	if (s->exclusive_known)
		one(e, METRIC_GAUGE, "rdma_warden_exclusive_mode",
		    "1: the RDMA subsystem is in exclusive netns mode; 0: in shared mode.", s->exclusive);
	capabilities(s, e);
}

static void lost(const struct snapshot *s, struct exposition *e)
{
	exposition_family(e, METRIC_COUNTER, "rdma_warden_lost_total", "What the warden could not do or tell.");
	for (unsigned int i = 0; i < COUNTER_COUNT; i++) {
		const char *name = snapshot_counter_name(i);

		if (strncmp(name, "lost.", 5) && strncmp(name, "unreadable.", 11))
			continue;
		exposition_sample(e, NULL, (struct label[]){ { "what", name }, END }, s->counters[i]);
	}
}

static void programs(const struct snapshot *s, struct exposition *e)
{
	one(e, METRIC_GAUGE, "rdma_warden_programs", "BPF programs that are attached.", s->program_count);
	exposition_family(e, METRIC_COUNTER, "rdma_warden_program_skipped_total",
			  "Calls that the kernel did not give to a program.");
	for (size_t i = 0; i < s->program_count; i++)
		exposition_sample(e, NULL, (struct label[]){ { "program", s->programs[i].name }, END },
				  s->programs[i].skipped);
}

/* ---- what it knows ---- */

/* Each state that there can be, so that a series does not end with its last device. */
static void device_states(const struct snapshot *s, struct exposition *e)
{
	static const char *const states[] = { "claimed", "free", "orphan", "quarantined" };

	exposition_family(e, METRIC_GAUGE, "rdma_warden_devices", "RDMA devices by their state.");
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		uint64_t n = 0;

		for (size_t d = 0; d < s->stats->device_count; d++)
			n += !strcmp(s->devices[d].state, states[i]);
		exposition_sample(e, NULL, (struct label[]){ { "state", states[i] }, END }, n);
	}
	one(e, METRIC_GAUGE, "rdma_warden_quarantined_vfs", "VFs that nobody gets until they are proved clean.",
	    s->quarantined_count);
}

/* From `first` on, and whether there is none before. */
static uint64_t count_claims(const struct model *m, const char *source, size_t first, bool *is_first)
{
	uint64_t n = 0;

	*is_first = true;
	for (size_t d = 0; d < m->device_count; d++) {
		const struct tracked_device *t = &m->devices[d].tracked;

		if (!t->claimed || strcmp(t->claim.source, source))
			continue;
		n++;
		*is_first &= d >= first;
	}
	return n;
}

static void claims(const struct snapshot *s, struct exposition *e)
{
	static const char *const usual[] = { "cni", "kubelet", "manual" }; /* shown with 0, too */
	const struct model *m = s->model;
	bool first;

	exposition_family(e, METRIC_GAUGE, "rdma_warden_claims", "Claims on devices by who has said so.");
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		exposition_sample(e, NULL, (struct label[]){ { "source", usual[i] }, END },
				  count_claims(m, usual[i], 0, &first));
	for (size_t d = 0; d < m->device_count; d++) {
		const char *source = m->devices[d].tracked.claim.source;
		uint64_t n = count_claims(m, source, d, &first);

		if (!m->devices[d].tracked.claimed || !first || !strcmp(source, usual[0]) ||
		    !strcmp(source, usual[1]) || !strcmp(source, usual[2]))
			continue;
		exposition_sample(e, NULL, (struct label[]){ { "source", source }, END }, n);
	}
}

static void attachments(const struct snapshot *s, struct exposition *e)
{
	bool attached = false;

	exposition_family(e, METRIC_GAUGE, "rdma_warden_attachments",
			  "Attachments of the CNI plugin by how far they have come.");
	for (size_t i = 0; i < s->step_count; i++) {
		attached |= !strcmp(s->steps[i].step, "attached");
		exposition_sample(e, NULL, (struct label[]){ { "step", s->steps[i].step }, END }, s->steps[i].count);
	}
	if (!attached)
		exposition_sample(e, NULL, (struct label[]){ { "step", "attached" }, END }, 0);
}

static void sources(const struct snapshot *s, struct exposition *e)
{
	static const char *const names[] = { "rdma_warden_source_up", "rdma_warden_source_age_seconds",
					     "rdma_warden_source_failures_total" };
	static const char *const help[] = { "1: the source of what is known of pods answers.",
					    "Since when its word is what it is.",
					    "Questions that it has not answered." };
	uint64_t now = s->stats->time_ns;

	for (size_t f = 0; f < ARRAY_SIZE(names); f++) {
		exposition_family(e, f == 2 ? METRIC_COUNTER : METRIC_GAUGE, names[f], help[f]);
		for (enum pod_source source = 0; source < POD_SOURCE_COUNT; source++) {
			const struct source_health *h = &s->health[source];
			const struct label labels[] = { { "source", pod_source_name(source) }, END };
			const char *state = source_state(h);

			if (source == POD_SOURCE_CLAIM || source == POD_SOURCE_NETNS ||
			    (strcmp(state, "ok") && strcmp(state, "failed")))
				continue;
			if (f == 0)
				exposition_sample(e, NULL, labels, !strcmp(state, "ok"));
			else if (f == 2)
				exposition_sample(e, NULL, labels, h->all_failures);
			else if (h->success_ns)
				exposition_real(e, NULL, labels,
						now > h->success_ns ? (double)(now - h->success_ns) / 1e9 : 0);
		}
	}
}

static void contradictions(const struct snapshot *s, struct exposition *e)
{
	exposition_family(e, METRIC_GAUGE, "rdma_warden_contradictions",
			  "Contradictions between two sources that hold now.");
	for (enum contradiction_rule rule = 0; rule < CONTRADICTION_COUNT; rule++)
		exposition_sample(e, NULL, (struct label[]){ { "rule", contradiction_name(rule) }, END },
				  s->contradictions[rule]);
	one(e, METRIC_GAUGE, "rdma_warden_pods", "Pods that live on this node, as far as they are known.", s->pods);
}

/* What is told as a change alone, or is a fault, never is a violation. */
static bool can_be_violated(enum warden_rule rule)
{
	static const char *const prefixes[] = { "exclusive.", "marking.", "qos.", "spoof.", "track.", "warden.tamper" };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (!strncmp(rule_name(rule), prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

/* Observed ones from the start, so that the first one is an increase. */
static void violations(const struct snapshot *s, struct exposition *e)
{
	exposition_family(e, METRIC_COUNTER, "rdma_warden_violations_total",
			  "Violations by rule and by what was done about them.");
	for (enum warden_rule rule = 0; rule < RULE_COUNT; rule++)
		for (uint32_t verdict = 0; verdict < TALLY_VERDICTS; verdict++)
			if (s->tally.by_rule[rule][verdict] || (verdict == VERDICT_OBSERVED && can_be_violated(rule)))
				exposition_sample(e, NULL,
						  (struct label[]){ { "rule", rule_name(rule) },
								    { "verdict", events_verdict_name(verdict) },
								    END },
						  s->tally.by_rule[rule][verdict]);
}

/* ---- how long attaching takes: by powers of two ---- */

static void timing(const struct attach_timing *t, struct exposition *e)
{
	const struct histogram *h = &t->times;
	uint64_t below = 0;
	char le[32];

	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
		below += h->bucket[i];
		if (i % 4 != 3)
			continue;
		snprintf(le, sizeof(le), "%.9g", (double)histogram_bound(i) / 1e9);
		exposition_part(e, "_bucket",
				(struct label[]){ { "command", t->command }, { "step", t->step }, { "le", le }, END },
				(double)below);
	}
	exposition_part(e, "_bucket",
			(struct label[]){ { "command", t->command }, { "step", t->step }, { "le", "+Inf" }, END },
			(double)h->count);
	exposition_part(e, "_sum", (struct label[]){ { "command", t->command }, { "step", t->step }, END },
			(double)h->sum_ns / 1e9);
	exposition_part(e, "_count", (struct label[]){ { "command", t->command }, { "step", t->step }, END },
			(double)h->count);
}

static void timings(const struct snapshot *s, struct exposition *e)
{
	exposition_family(
		e, METRIC_HISTOGRAM, "rdma_warden_attach_duration_seconds",
		"How long calls of the CNI plugin take, and their steps; the step of the whole call is empty.");
	for (size_t i = 0; i < s->timing_count; i++)
		if (!s->timings[i].step[0] || s->timings[i].times.count)
			timing(&s->timings[i], e);
}

void families_warden(const struct snapshot *s, struct exposition *e)
{
	identity(s, e);
	device_states(s, e);
	claims(s, e);
	attachments(s, e);
	contradictions(s, e);
	violations(s, e);
	lost(s, e);
	programs(s, e);
	sources(s, e);
	timings(s, e);
	exposition_family(e, METRIC_GAUGE, "rdma_warden_scrape_duration_seconds",
			  "How long the reading took that this page shows.");
	exposition_real(e, NULL, NULL, (double)s->took_ns / 1e9);
	one(e, METRIC_GAUGE, "rdma_warden_scrape_unread", "Counters and devices that could not be read.", s->unread);
}

/* ---- the process, as Prometheus' clients tell of theirs ---- */

static double start_time(void)
{
	char line[1024], *at;
	struct timespec wall;
	uint64_t ticks = 0;

	if (read_line("/proc/self/stat", line, sizeof(line)))
		return 0;
	at = strrchr(line, ')'); /* the name may have blanks and parentheses */
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (at)
		ticks = strtoull(at + 1, NULL, 10);
	clock_gettime(CLOCK_REALTIME, &wall);
	return (double)wall.tv_sec + (double)wall.tv_nsec / 1e9 - (double)boot_ns() / 1e9 +
	       (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static uint64_t resident(void)
{
	unsigned long pages = 0;
	char line[128];

	if (read_line("/proc/self/statm", line, sizeof(line)) || sscanf(line, "%*u %lu", &pages) != 1)
		return 0;
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t open_files(void)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	uint64_t n = 0;

	while (dir && (entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	return n ? n - 1 : 0; /* not the one that counts them */
}

void families_process(struct exposition *e)
{
	struct rlimit files = {};
	struct rusage used = {};

	getrusage(RUSAGE_SELF, &used);
	getrlimit(RLIMIT_NOFILE, &files);
	exposition_family(e, METRIC_COUNTER, "process_cpu_seconds_total", "CPU time that wardend has used.");
	exposition_real(e, NULL, NULL,
			(double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
				(double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
	one(e, METRIC_GAUGE, "process_max_fds", "Files that wardend may have open.", files.rlim_cur);
	one(e, METRIC_GAUGE, "process_open_fds", "Files that wardend has open.", open_files());
	one(e, METRIC_GAUGE, "process_resident_memory_bytes", "Memory of wardend that is resident.", resident());
	exposition_family(e, METRIC_GAUGE, "process_start_time_seconds", "When wardend was started, since the epoch.");
	exposition_real(e, NULL, NULL, start_time());
}

void families_write(const struct snapshot *s, struct exposition *e)
{
	families_warden(s, e);
	families_devices(s, e);
	families_ports(s, e);
	families_spiderpool(s, e);
	families_process(e);
	exposition_end(e);
}
