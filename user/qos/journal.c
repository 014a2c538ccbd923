// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "qos/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/json.h"
#include "lib/util.h"

#define MAX_LINE (16 << 10)

static int file_path(const char *dir, const char *suffix, char *to)
{
	return try_snprintf(to, PATH_MAX, "%s/qos-journal%s", dir, suffix);
}

/* ---- writing ---- */

static int write_text(int fd, const char *text)
{
	int r = write_all(fd, text, strlen(text));

	return !r && fsync(fd) ? -errno : r;
}

/* The line that a crash has cut is ended, so that the next one is whole. */
static int end_line(int fd, off_t size)
{
	char last;

	if (!size)
		return 0;
	if (pread(fd, &last, 1, size - 1) != 1)
		return -EIO;
	return last == '\n' ? 0 : write_text(fd, "\n");
}

static int rotate(const char *dir, const char *path)
{
	char older[PATH_MAX];
	struct stat st;

	if (stat(path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (st.st_size <= QOS_JOURNAL_MAX)
		return 0;
	if (file_path(dir, ".1", older) || rename(path, older))
		return -errno;
	return 0;
}

static int open_file(struct qos_journal *journal, const char *dir, const char *path)
{
	struct stat st;
	int r = make_dirs(dir);

	/* What is to be taken back must stay in the file where its run is. */
	if (!r && !journal->reverts)
		r = rotate(dir, path);
	if (r)
		return r;
	journal->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (journal->fd < 0 || fstat(journal->fd, &st))
		return -errno;
	r = end_line(journal->fd, st.st_size);
	return r ? r : sync_dir(dir);
}

int qos_journal_open(struct qos_journal *journal, const char *dir, const char *reverts, struct err *err)
{
	struct timespec now;
	char path[PATH_MAX];
	int r = file_path(dir, "", path);

	*journal = (struct qos_journal){ .fd = -1, .reverts = reverts != NULL };
	if (r)
		return fail(err, r, "state_dir %s: %s", dir, strerror(-r));
	clock_gettime(CLOCK_REALTIME, &now);
	if (reverts)
		r = try_snprintf(journal->run, sizeof(journal->run), "%s", reverts);
	else
		r = try_snprintf(journal->run, sizeof(journal->run), "%lld.%09ld", (long long)now.tv_sec, now.tv_nsec);
	if (!r)
		r = open_file(journal, dir, path);
	if (!r)
		return 0;
	qos_journal_close(journal);
	return fail(err, r, "%s: %s", path, strerror(-r));
}

void qos_journal_close(struct qos_journal *journal)
{
	util_close(&journal->fd);
}

static cJSON *change_json(const struct qos_journal *journal, const struct qos_change *change)
{
	const struct qos_action *a = &change->action;
	cJSON *json = cJSON_CreateObject();
	char text[QOS_VALUE_LEN];

	cJSON_AddStringToObject(json, "what", journal->reverts ? "revert" : "apply");
	cJSON_AddStringToObject(json, "run", journal->run);
	cJSON_AddNumberToObject(json, "number", change->number);
	cJSON_AddStringToObject(json, "rule", change->rule);
	cJSON_AddStringToObject(json, "setting", qos_setting_name(a->setting));
	cJSON_AddNumberToObject(json, "priority", a->priority);
	cJSON_AddStringToObject(json, "subject", a->subject);
	cJSON_AddStringToObject(json, "pci", a->pci);
	qos_value_text(a->setting, &a->from, text, sizeof(text));
	cJSON_AddStringToObject(json, "from", text);
	qos_value_text(a->setting, &a->to, text, sizeof(text));
	cJSON_AddStringToObject(json, "to", text);
	return json;
}

int qos_journal_note(struct qos_journal *journal, const struct qos_change *change, const char *state,
		     const char *reason, struct err *err)
{
	_cleanup_(json_free) cJSON *json = change_json(journal, change);
	_cleanup_free_ char *text = NULL, *line = NULL;
	int r;

	cJSON_AddStringToObject(json, "state", state);
	cJSON_AddStringToObject(json, "reason", reason);
	text = cJSON_PrintUnformatted(json);
	if (!text || asprintf(&line, "%s\n", text) < 0) {
		line = NULL;
		return fail(err, -ENOMEM, "the journal cannot be written: out of memory");
	}
	r = write_text(journal->fd, line);
	return r ? fail(err, r, "the journal cannot be written: %s", strerror(-r)) : 0;
}

/* ---- reading: what it says is written into the node again, so it is checked as if it were anybody's ---- */

static int get_text(const cJSON *json, const char *key, char *to, size_t size)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

	return cJSON_IsString(item) ? try_snprintf(to, size, "%s", item->valuestring) : -EINVAL;
}

static int get_number(const cJSON *json, const char *key, unsigned int max, unsigned int *to)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

	if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= max))
		return -EINVAL;
	*to = (unsigned int)item->valuedouble;
	return 0;
}

static int get_value(const cJSON *json, const char *key, enum qos_setting setting, struct qos_value *value)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

	return cJSON_IsString(item) ? qos_value_parse(setting, item->valuestring, value) : -EINVAL;
}

struct record {
	bool reverts;
	char run[32], state[16];
	struct qos_change change;
};

static int get_record(const cJSON *json, struct record *r)
{
	struct qos_action *a = &r->change.action;
	char setting[32], what[16], path[PATH_MAX];
	int found;

	*r = (struct record){};
	if (get_text(json, "what", what, sizeof(what)) || get_text(json, "run", r->run, sizeof(r->run)) ||
	    get_text(json, "state", r->state, sizeof(r->state)) ||
	    get_text(json, "rule", r->change.rule, sizeof(r->change.rule)) ||
	    get_text(json, "setting", setting, sizeof(setting)) ||
	    get_text(json, "subject", a->subject, sizeof(a->subject)) ||
	    get_text(json, "pci", a->pci, sizeof(a->pci)) || get_number(json, "number", INT_MAX, &r->change.number) ||
	    get_number(json, "priority", QOS_PRIORITIES - 1, &a->priority))
		return -EINVAL;
	found = qos_setting_find(setting);
	if (found < 0 || !r->run[0])
		return -EINVAL;
	a->setting = (enum qos_setting)found;
	r->reverts = !strcmp(what, "revert");
	if (qos_action_file(a, "", path, sizeof(path)) == -EINVAL)
		return -EINVAL;
	if (get_value(json, "from", a->setting, &a->from) || get_value(json, "to", a->setting, &a->to))
		return -EINVAL;
	return 0;
}

static int parse_line(const char *line, size_t len, struct record *r)
{
	_cleanup_(json_free) cJSON *json = NULL;

	if (len > MAX_LINE || json_find_nul(line, len))
		return -EINVAL;
	json = cJSON_ParseWithLength(line, len);
	return json ? get_record(json, r) : -EINVAL;
}

static void drop(struct qos_plan *plan, unsigned int number)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->count; i++)
		if (plan->changes[i].number != number)
			plan->changes[kept++] = plan->changes[i];
	plan->count = kept;
}

static int take_record(const struct record *r, struct qos_plan *plan, char *run, size_t size)
{
	if (!r->reverts && strcmp(r->run, run)) {
		plan->count = 0;
		snprintf(run, size, "%s", r->run);
	}
	if (strcmp(r->run, run))
		return 0;
	if (!r->reverts && !strcmp(r->state, "intent")) {
		if (qos_plan_add(plan, r->change.rule, &r->change.action))
			return -ENOMEM;
		plan->changes[plan->count - 1].number = r->change.number;
	} else if (!strcmp(r->state, r->reverts ? "done" : "failed")) {
		drop(plan, r->change.number);
	}
	return 0;
}

static int read_file(const char *path, struct qos_plan *plan, char *run, size_t size)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	struct record record;
	size_t room = 0;
	ssize_t len;
	int r = 0;

	if (!file)
		return errno == ENOENT ? 0 : -errno;
	while (!r && (len = getline(&line, &room, file)) > 0)
		if (!parse_line(line, (size_t)len, &record))
			r = take_record(&record, plan, run, size);
	return r ? r : ferror(file) ? -EIO : 0;
}

int qos_journal_last(const char *dir, struct qos_plan *plan, char *run, size_t size, struct err *err)
{
	static const char *const suffixes[] = { "", ".1" };
	char path[PATH_MAX];
	int r = 0;

	run[0] = '\0';
	/* The older file, when a crash came between the rotation and the first line. */
	for (size_t i = 0; !r && !run[0] && i < ARRAY_SIZE(suffixes); i++) {
		r = file_path(dir, suffixes[i], path);
		if (!r)
			r = read_file(path, plan, run, size);
	}
	return r ? fail(err, r, "%s: %s", path, strerror(-r)) : 0;
}
