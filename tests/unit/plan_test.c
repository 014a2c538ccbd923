// SPDX-License-Identifier: Apache-2.0
/* Changes of settings: their values as text, their commands, their order, their journal, and those of files made. */
#include "qos/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dcbnl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/util.h"
#include "qos/host.h"
#include "qos/journal.h"
#include "qos/perform.h"

/* ---- values ---- */

static const struct {
	enum qos_setting setting;
	const char *text;
} values[] = {
	{ QOS_DCBX, "host,ieee" },
	{ QOS_DCBX, "lld-managed" },
	{ QOS_DCBX, "none" },
	{ QOS_MTU, "4200" },
	{ QOS_ETS, "of 0,1,2,3,4,5,6,7 shares 50,0,0,0,0,50,0,0" },
	{ QOS_BUFFER, "of 0,0,0,0,0,7,0,0 sizes 4294967295,0,0,0,0,0,0,1" },
	{ QOS_PAUSE, "rx,tx" },
	{ QOS_PFC, "3,5" },
	{ QOS_PFC, "none" },
	{ QOS_APP, "0:none,40:3+5,48:6" },
	{ QOS_APP, "none" },
	{ QOS_APP_TRUST, "dscp,pcp,port,ethtype,stream-port,dgram-port,6,7" },
	{ QOS_APP_TRUST, "none" },
	{ QOS_CNP_DSCP, "63" },
	{ QOS_ECN_RP, "1" },
	{ QOS_CMA_MODE, "IB/RoCE v1" },
	{ QOS_CMA_TOS, "255" },
};

static void values_come_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		struct qos_value value;
		char text[QOS_VALUE_LEN];

		/* An app table of which nothing is said has no change, and so no place in a journal. */
		if (values[i].setting == QOS_APP && !strcmp(values[i].text, "none"))
			continue;
		if (qos_value_parse(values[i].setting, values[i].text, &value))
			test_fail("\"%s\" is refused", values[i].text);
		qos_value_text(values[i].setting, &value, text, sizeof(text));
		assert_string_equal(text, values[i].text);
	}
}

static void values_that_are_none(void **state)
{
	static const struct {
		enum qos_setting setting;
		const char *text;
	} wrong[] = {
		{ QOS_DCBX, "host,cisco" },
		{ QOS_DCBX, "" },
		{ QOS_MTU, "65536" },
		{ QOS_MTU, "-1" },
		{ QOS_MTU, "0x10" },
		{ QOS_ETS, "of 0,1,2,3,4,5,6,8 shares 0,0,0,0,0,0,0,0" },
		{ QOS_ETS, "of 0,1,2,3,4,5,6 shares 0,0,0,0,0,0,0,0" },
		{ QOS_ETS, "of 0,1,2,3,4,5,6,7,0 shares 0,0,0,0,0,0,0,0" },
		{ QOS_ETS, "of 0,1,2,3,4,5,6,7 shares 101,0,0,0,0,0,0,0" },
		{ QOS_ETS, "of 0,1,2,3,4,5,6,7" },
		{ QOS_ETS, "of" },
		{ QOS_ETS, "" },
		{ QOS_BUFFER, "of 0,0,0,0,0,0,0,0 sizes 4294967296,0,0,0,0,0,0,0" },
		{ QOS_PFC, "8" },
		{ QOS_PFC, "5," },
		{ QOS_APP, "64:1" },
		{ QOS_APP, "40:8" },
		{ QOS_APP, "40" },
		{ QOS_APP, "" },
		{ QOS_APP_TRUST, "dscp,dscp,dscp,dscp,dscp,dscp,dscp,dscp,dscp" },
		{ QOS_CNP_DSCP, "64" },
		{ QOS_CNP_PRIORITY, "8" },
		{ QOS_ECN_NP, "2" },
		{ QOS_CMA_MODE, "RoCE v3" },
		{ QOS_TCLASS, "256" },
	};
	struct qos_value value;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (qos_value_parse(wrong[i].setting, wrong[i].text, &value) != -EINVAL)
			test_fail("\"%s\" is taken", wrong[i].text);
}

/* The longest value that there is fits. */
static void no_value_is_cut(void **state)
{
	struct qos_value value = { .dscps = ~0ull };
	char text[QOS_VALUE_LEN];

	(void)state;
	memset(value.priorities, 0xff, sizeof(value.priorities));
	qos_value_text(QOS_APP, &value, text, sizeof(text));
	assert_contains(text, ",63:0+1+2+3+4+5+6+7");
	assert_true(strlen(text) < sizeof(text) - 1);
}

/* ---- commands ---- */

/* What a pod has named its netdev runs nothing in the shell of who pastes the cure. */
static void names_are_quoted(void **state)
{
	struct qos_action action = { .setting = QOS_MTU, .subject = "$(reboot)", .to.number = 4200 };
	char text[QOS_CURE_LEN] = "";

	(void)state;
	qos_action_command(&action, text, sizeof(text));
	assert_string_equal(text, "ip link set dev '$(reboot)' mtu 4200");
	text[0] = '\0';
	strcpy(action.subject, "a';b");
	action.setting = QOS_ECN_NP;
	action.to.number = 1;
	qos_action_command(&action, text, sizeof(text));
	assert_string_equal(text, "echo 1 >'/sys/class/net/a'\\'';b/ecn/roce_np/enable/0'");
}

static void entries_that_go_and_come(void **state)
{
	struct qos_action action = { .setting = QOS_APP, .subject = "pf0" };
	char text[QOS_CURE_LEN] = "";

	(void)state;
	assert_int_equal(qos_value_parse(QOS_APP, "0:3+5,40:1", &action.from), 0);
	assert_int_equal(qos_value_parse(QOS_APP, "0:none,40:5", &action.to), 0);
	qos_action_command(&action, text, sizeof(text));
	assert_string_equal(text, "dcb app replace dev pf0 dscp-prio 40:5 && dcb app del dev pf0 dscp-prio 0:3 0:5");
}

static void subjects_that_are_no_names(void **state)
{
	static const char *const names[] = { "", ".", "..", "a/b" };
	struct qos_action action = { .setting = QOS_TCLASS };
	char path[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		strcpy(action.subject, names[i]);
		assert_int_equal(qos_action_file(&action, "/sys", path, sizeof(path)), -EINVAL);
	}
	strcpy(action.subject, "pf0");
	action.setting = QOS_CNP_DSCP;
	strcpy(action.pci, "..");
	assert_int_equal(qos_action_file(&action, "/sys", path, sizeof(path)), -EINVAL);
}

/* ---- plans ---- */

static void add(struct qos_plan *plan, enum qos_setting setting, const char *subject, unsigned int from,
		unsigned int to)
{
	struct qos_finding f = { .rule = "qos.test", .action_count = 1 };

	f.actions[0] = (struct qos_action){ .setting = setting, .from.number = from, .to.number = to };
	strcpy(f.actions[0].subject, subject);
	assert_int_equal(qos_plan_take(plan, &f), 0);
}

static void order_of_changes(void **state)
{
	_cleanup_(qos_plan_free) struct qos_plan plan = {};
	static const enum qos_setting wanted[] = { QOS_DCBX, QOS_MTU, QOS_MTU, QOS_PAUSE, QOS_PFC, QOS_CMA_TOS };

	(void)state;
	add(&plan, QOS_CMA_TOS, "mlx5_2", 0, 160);
	add(&plan, QOS_PFC, "pf0", 0, 1 << 5);
	add(&plan, QOS_DCBX, "pf0", 2, 9);
	add(&plan, QOS_MTU, "pf0", 1500, 4200);
	add(&plan, QOS_DCBX, "pf0", 2, 9); /* once is enough */
	add(&plan, QOS_PAUSE, "pf0", 3, 0);
	add(&plan, QOS_MTU, "a-vf", 1500, 4200);
	qos_plan_order(&plan);
	assert_int_equal(plan.count, ARRAY_SIZE(wanted));
	for (size_t i = 0; i < plan.count; i++) {
		assert_int_equal(plan.changes[i].action.setting, wanted[i]);
		assert_int_equal(plan.changes[i].number, i + 1);
	}
	assert_string_equal(plan.changes[1].action.subject, "pf0");
}

static void digests(void **state)
{
	_cleanup_(qos_plan_free) struct qos_plan a = {}, b = {}, none = {};
	char one[QOS_DIGEST_LEN], other[QOS_DIGEST_LEN];

	(void)state;
	add(&a, QOS_MTU, "pf0", 1500, 4200);
	add(&b, QOS_MTU, "pf0", 1500, 4200);
	qos_plan_digest(&a, one);
	qos_plan_digest(&b, other);
	assert_string_equal(one, other);
	b.changes[0].action.from.number = 1501;
	qos_plan_digest(&b, other);
	assert_string_not_equal(one, other);
	b.changes[0].action.from.number = 1500;
	strcpy(b.changes[0].action.subject, "pf1");
	qos_plan_digest(&b, other);
	assert_string_not_equal(one, other);
	qos_plan_digest(&none, other);
	assert_string_not_equal(one, other);
}

/* ---- the journal ---- */

static const char *state_dir(void)
{
	return temp_path("state");
}

static const char *journal_file(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", state_dir(), name);
	return path;
}

static void begin_journal(struct qos_journal *journal, const char *reverts)
{
	struct err err = {};

	if (qos_journal_open(journal, state_dir(), reverts, &err))
		test_fail("%s", err.text);
}

static void note(struct qos_journal *journal, const struct qos_change *change, const char *state)
{
	assert_int_equal(qos_journal_note(journal, change, state, "because", NULL), 0);
}

static size_t last(struct qos_plan *plan, char run[32])
{
	qos_plan_free(plan);
	assert_int_equal(qos_journal_last(state_dir(), plan, run, 32, NULL), 0);
	return plan->count;
}

static void append(const char *text)
{
	FILE *file = fopen(journal_file("qos-journal"), "ae");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void run_of_two(struct qos_journal *journal, struct qos_plan *plan)
{
	add(plan, QOS_MTU, "pf0", 1500, 4200);
	add(plan, QOS_PFC, "pf0", 0, 1 << 5);
	begin_journal(journal, NULL);
	note(journal, &plan->changes[0], "intent");
	note(journal, &plan->changes[0], "done");
	note(journal, &plan->changes[1], "intent");
}

static void forget_journal(void)
{
	unlink(journal_file("qos-journal"));
	unlink(journal_file("qos-journal.1"));
}

static void journal_tells_the_last_run(void **state)
{
	_cleanup_(qos_plan_free) struct qos_plan made = {}, found = {};
	struct qos_journal journal;
	char run[32], text[64];

	(void)state;
	assert_int_equal(last(&found, run), 0);
	run_of_two(&journal, &made);
	assert_int_equal(last(&found, run), 2); /* a crash may have come in the second */
	assert_string_equal(found.changes[0].action.subject, "pf0");
	qos_value_text(QOS_MTU, &found.changes[0].action.from, text, sizeof(text));
	assert_string_equal(text, "1500");
	note(&journal, &made.changes[1], "failed");
	qos_journal_close(&journal);
	assert_int_equal(last(&found, run), 1);
	begin_journal(&journal, run);
	note(&journal, &made.changes[0], "intent");
	assert_int_equal(last(&found, run), 1);
	note(&journal, &made.changes[0], "done");
	qos_journal_close(&journal);
	assert_int_equal(last(&found, run), 0); /* taken back */
	begin_journal(&journal, NULL);
	note(&journal, &made.changes[1], "intent");
	qos_journal_close(&journal);
	assert_int_equal(last(&found, run), 1);
	assert_int_equal(found.changes[0].action.setting, QOS_PFC);
	forget_journal();
}

/* Cut lines, other people's lines, and lines that would write elsewhere. */
static void journal_of_anybody(void **state)
{
	static const char head[] =
		"{\"what\":\"apply\",\"run\":\"1\",\"state\":\"intent\",\"rule\":\"qos.tos\",\"number\":1,"
		"\"priority\":0,\"pci\":\"\",\"setting\":\"traffic-class\",";
	_cleanup_(qos_plan_free) struct qos_plan made = {}, found = {};
	struct qos_journal journal;
	char run[32], line[512];

	(void)state;
	run_of_two(&journal, &made);
	qos_journal_close(&journal);
	append("{\"what\":\"apply\",\"run\":\"9\",\"sta");
	assert_int_equal(last(&found, run), 2);
	begin_journal(&journal, run);
	note(&journal, &made.changes[0], "done"); /* not run together with what was cut */
	qos_journal_close(&journal);
	assert_int_equal(last(&found, run), 1);
	append("null\n[]\n{}\n\"\\u0000\"\n");
	snprintf(line, sizeof(line), "%s\"subject\":\"../../../etc\",\"from\":\"0\",\"to\":\"1\"}\n", head);
	append(line);
	snprintf(line, sizeof(line), "%s\"subject\":\"mlx5_0\",\"from\":\"0\",\"to\":\"256\"}\n", head);
	append(line);
	assert_int_equal(last(&found, run), 1);
	snprintf(line, sizeof(line), "%s\"subject\":\"mlx5_0\",\"from\":\"0\",\"to\":\"160\"}\n", head);
	append(line);
	assert_int_equal(last(&found, run), 1);
	assert_int_equal(found.changes[0].action.setting, QOS_TCLASS);
	forget_journal();
}

static void journal_is_bounded(void **state)
{
	_cleanup_(qos_plan_free) struct qos_plan made = {}, found = {};
	struct qos_journal journal;
	char run[32];
	struct stat st;

	(void)state;
	run_of_two(&journal, &made);
	while (!fstat(journal.fd, &st) && st.st_size <= QOS_JOURNAL_MAX)
		note(&journal, &made.changes[0], "done");
	qos_journal_close(&journal);
	begin_journal(&journal, "1"); /* what takes back stays beside what it takes back */
	qos_journal_close(&journal);
	assert_int_equal(stat(journal_file("qos-journal.1"), &st), -1);
	begin_journal(&journal, NULL);
	assert_int_equal(stat(journal_file("qos-journal.1"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* A crash here: the last run is that of the older file. */
	assert_int_equal(last(&found, run), 2);
	note(&journal, &made.changes[1], "intent");
	assert_int_equal(last(&found, run), 1);
	qos_journal_close(&journal);
	assert_int_equal(stat(journal_file("qos-journal"), &st), 0);
	assert_true(st.st_size < QOS_JOURNAL_MAX);
	forget_journal();
}

static void journal_that_cannot_be_written(void **state)
{
	_cleanup_(qos_plan_free) struct qos_plan made = {};
	struct qos_journal journal = { .fd = open("/dev/full", O_WRONLY | O_CLOEXEC) };
	struct err err = {};

	(void)state;
	add(&made, QOS_MTU, "pf0", 1500, 4200);
	assert_int_equal(qos_journal_note(&journal, &made.changes[0], "intent", "", &err), -ENOSPC);
	assert_contains(err.text, "the journal cannot be written");
	qos_journal_close(&journal);
	assert_int_equal(qos_journal_open(&journal, "/proc/self/no-such", NULL, &err), -ENOENT);
	assert_int_equal(journal.fd, -1);
}

/* ---- files ---- */

static void make_file(const char *path, const char *content)
{
	char folder[512];
	FILE *file;

	snprintf(folder, sizeof(folder), "%s", path);
	*strrchr(folder, '/') = '\0';
	assert_int_equal(make_dirs(folder), 0);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(content, file);
	fclose(file);
}

static void files_are_written_and_read_back(void **state)
{
	struct qos_action action = { .setting = QOS_ECN_NP, .subject = "pf0", .priority = 5, .to.number = 1 };
	struct err err = {};
	char path[512], line[64];

	(void)state;
	assert_int_equal(qos_action_file(&action, temp_dir(), path, sizeof(path)), 0);
	make_file(path, "0\n");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(qos_action_perform(temp_dir(), &action, &err), -ENOENT);
	assert_int_equal(access(path, F_OK), -1); /* not made */
	make_file(path, "0\n");
	assert_int_equal(qos_action_perform(temp_dir(), &action, &err), 0);
	assert_int_equal(read_line(path, line, sizeof(line)), 0);
	assert_string_equal(line, "1");
	action = (struct qos_action){
		.setting = QOS_CNP_DSCP, .subject = "pf0", .pci = "0000:3b:00.0", .to.number = 48
	};
	assert_int_equal(qos_action_file(&action, temp_dir(), path, sizeof(path)), 0);
	assert_contains(path, "/kernel/debug/mlx5/0000:3b:00.0/cc_params/np_cnp_dscp");
	make_file(path, "0\n");
	assert_int_equal(qos_action_perform(temp_dir(), &action, &err), 0);
	assert_int_equal(read_line(path, line, sizeof(line)), 0);
	assert_string_equal(line, "48");
}

static void a_folder_of_rdma_cm_is_left_as_it_was(void **state)
{
	struct qos_action action = { .setting = QOS_CMA_MODE, .subject = "mlx5_2", .to.number = QOS_ROCE_V2 };
	struct err err = {};
	char path[512], line[64];

	(void)state;
	assert_int_equal(qos_action_folder(&action, temp_dir(), path, sizeof(path)), 0);
	make_file(temp_path("kernel/config/rdma_cm/other"), "");
	assert_int_equal(qos_action_perform(temp_dir(), &action, &err), -ENOENT);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(qos_action_file(&action, temp_dir(), path, sizeof(path)), 0);
	make_file(path, "IB/RoCE v1\n");
	assert_int_equal(qos_action_perform(temp_dir(), &action, &err), 0);
	assert_int_equal(read_line(path, line, sizeof(line)), 0); /* the folder was there before */
	assert_string_equal(line, "RoCE v2");
}

/* The file of a driver that takes anything and keeps its own: /dev/null, which reads as nothing. */
static void what_does_not_stick_has_failed(void **state)
{
	struct qos_action action = { .setting = QOS_TCLASS, .subject = "mlx5_9", .to.number = 160 };
	struct qos_value value;
	struct err err = {};
	char path[512];

	(void)state;
	assert_int_equal(qos_action_file(&action, temp_dir(), path, sizeof(path)), 0);
	make_file(path, "Global tclass=96\n");
	assert_int_equal(qos_setting_read(temp_dir(), &action, &value), 0);
	assert_int_equal(value.number, 96);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(qos_action_perform(temp_dir(), &action, &err), -ENODATA);
	assert_contains(err.text, "cannot be read back");
	strcpy(action.subject, "no-such-one");
	action.setting = QOS_MTU;
	assert_int_equal(qos_action_perform(temp_dir(), &action, &err), -ENODEV);
	assert_contains(err.text, "refused");
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(values_come_back),
		cmocka_unit_test(values_that_are_none),
		cmocka_unit_test(no_value_is_cut),
		cmocka_unit_test(names_are_quoted),
		cmocka_unit_test(entries_that_go_and_come),
		cmocka_unit_test(subjects_that_are_no_names),
		cmocka_unit_test(order_of_changes),
		cmocka_unit_test(digests),
		cmocka_unit_test(journal_tells_the_last_run),
		cmocka_unit_test(journal_of_anybody),
		cmocka_unit_test(journal_is_bounded),
		cmocka_unit_test(journal_that_cannot_be_written),
		cmocka_unit_test(files_are_written_and_read_back),
		cmocka_unit_test(a_folder_of_rdma_cm_is_left_as_it_was),
		cmocka_unit_test(what_does_not_stick_has_failed),
	};

	return RUN_CASES("plan", cases);
}
