// SPDX-License-Identifier: Apache-2.0
#include "qos/action.h"

#include <ctype.h>
#include <errno.h>
#include <linux/dcbnl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/util.h"
#include "qos/host.h"

static const struct {
	const char *name, *by;
} settings[] = {
	[QOS_DCBX] = { "dcbx", "DCB netlink" },
	[QOS_MTU] = { "mtu", "ioctl SIOCSIFMTU" },
	[QOS_ETS] = { "ets", "DCB netlink" },
	[QOS_BUFFER] = { "buffer", "DCB netlink" },
	[QOS_PAUSE] = { "pause", "ioctl SIOCETHTOOL" },
	[QOS_PFC] = { "pfc", "DCB netlink" },
	[QOS_APP] = { "app", "DCB netlink" },
	[QOS_APP_TRUST] = { "apptrust", "DCB netlink" },
	[QOS_CNP_DSCP] = { "cnp-dscp", NULL },
	[QOS_CNP_PRIORITY] = { "cnp-priority", NULL },
	[QOS_ECN_NP] = { "ecn-np", NULL },
	[QOS_ECN_RP] = { "ecn-rp", NULL },
	[QOS_CMA_MODE] = { "cma-mode", NULL },
	[QOS_CMA_TOS] = { "cma-tos", NULL },
	[QOS_TCLASS] = { "traffic-class", NULL },
};

const char *qos_setting_name(enum qos_setting setting)
{
	return settings[setting].name;
}

int qos_setting_find(const char *name)
{
	for (int i = 0; i < QOS_SETTINGS; i++)
		if (!strcmp(settings[i].name, name))
			return i;
	return -ENOENT;
}

static bool has_priority(const struct qos_action *a)
{
	return a->setting == QOS_ECN_NP || a->setting == QOS_ECN_RP;
}

void qos_action_name(const struct qos_action *a, char *to, size_t size)
{
	to[0] = '\0';
	qos_add(to, size, "%s", qos_setting_name(a->setting));
	if (has_priority(a))
		qos_add(to, size, " %u", a->priority);
}

void qos_action_by(const struct qos_action *a, char *to, size_t size)
{
	to[0] = '\0';
	if (settings[a->setting].by)
		qos_add(to, size, "%s", settings[a->setting].by);
	else if (qos_action_file(a, "/sys", to, size))
		to[0] = '\0';
}

void qos_add(char *to, size_t size, const char *fmt, ...)
{
	size_t len = strlen(to);
	va_list args;

	va_start(args, fmt);
	vsnprintf(to + len, size - len, fmt, args);
	va_end(args);
}

/* ---- files ---- */

static bool is_part_of_a_path(const char *name)
{
	return name[0] && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..");
}

int qos_action_folder(const struct qos_action *a, const char *root, char *to, size_t size)
{
	if (a->setting != QOS_CMA_MODE && a->setting != QOS_CMA_TOS)
		return -ENOENT;
	if (!is_part_of_a_path(a->subject))
		return -EINVAL;
	return try_snprintf(to, size, "%s/kernel/config/rdma_cm/%s", root, a->subject);
}

static int cnp_file(const struct qos_action *a, const char *root, const char *ofed, const char *inbox, char *to,
		    size_t size)
{
	if (!a->pci[0])
		return try_snprintf(to, size, "%s/class/net/%s/ecn/roce_np/%s", root, a->subject, ofed);
	if (!is_part_of_a_path(a->pci))
		return -EINVAL;
	return try_snprintf(to, size, "%s/kernel/debug/mlx5/%s/cc_params/%s", root, a->pci, inbox);
}

int qos_action_file(const struct qos_action *a, const char *root, char *to, size_t size)
{
	const char *name = a->subject;

	if (!is_part_of_a_path(name))
		return -EINVAL;
	switch (a->setting) {
	case QOS_CNP_DSCP:
		return cnp_file(a, root, "cnp_dscp", "np_cnp_dscp", to, size);
	case QOS_CNP_PRIORITY:
		return cnp_file(a, root, "cnp_802p_prio", "np_cnp_prio", to, size);
	case QOS_ECN_NP:
		return try_snprintf(to, size, "%s/class/net/%s/ecn/roce_np/enable/%u", root, name, a->priority);
	case QOS_ECN_RP:
		return try_snprintf(to, size, "%s/class/net/%s/ecn/roce_rp/enable/%u", root, name, a->priority);
	case QOS_CMA_MODE:
		return try_snprintf(to, size, "%s/kernel/config/rdma_cm/%s/ports/1/default_roce_mode", root, name);
	case QOS_CMA_TOS:
		return try_snprintf(to, size, "%s/kernel/config/rdma_cm/%s/ports/1/default_roce_tos", root, name);
	case QOS_TCLASS:
		return try_snprintf(to, size, "%s/class/infiniband/%s/tc/1/traffic_class", root, name);
	default:
		return -ENOENT;
	}
}

void qos_action_line(const struct qos_action *a, char *to, size_t size)
{
	qos_value_text(a->setting, &a->to, to, size);
}

/* ---- commands ---- */

/* A netdev of a pod comes back with the name that the pod gave it: quoted, where a shell would find more in it. */
static void add_word(char *to, size_t size, const char *word)
{
	bool plain = word[0];

	for (const char *c = word; *c; c++)
		plain &= isalnum((unsigned char)*c) || strchr("._:@/+-", *c);
	if (plain) {
		qos_add(to, size, "%s", word);
		return;
	}
	qos_add(to, size, "'");
	for (const char *c = word; *c; c++)
		if (*c == '\'')
			qos_add(to, size, "'\\''");
		else
			qos_add(to, size, "%c", *c);
	qos_add(to, size, "'");
}

static void add_begin(char *to, size_t size, const char *command, const char *subject, const char *rest)
{
	qos_add(to, size, "%s ", command);
	add_word(to, size, subject);
	qos_add(to, size, "%s", rest);
}

static void app_list(const struct qos_action *a, bool set, const char *command, char *to, size_t size)
{
	const char *joint = "";
	bool begun = false;

	if (strlen(to) && to[strlen(to) - 1] != ' ')
		joint = " && ";
	for (unsigned int d = 0; d < QOS_DSCPS; d++) {
		uint8_t priorities = set ? a->to.priorities[d] : a->from.priorities[d];

		if (!(a->to.dscps >> d & 1) || set != !!a->to.priorities[d])
			continue;
		for (unsigned int p = 0; p < QOS_PRIORITIES; p++) {
			if (!(priorities >> p & 1))
				continue;
			if (!begun)
				qos_add(to, size, "%s", joint), add_begin(to, size, command, a->subject, " dscp-prio");
			begun = true;
			qos_add(to, size, " %u:%u", d, p);
		}
	}
}

/* `dcb app replace` adds first and removes the others of the same DSCP then, as the warden does. */
static void app_command(const struct qos_action *a, char *to, size_t size)
{
	app_list(a, true, "dcb app replace dev", to, size);
	app_list(a, false, "dcb app del dev", to, size);
}

static void pfc_command(const struct qos_action *a, char *to, size_t size)
{
	add_begin(to, size, "dcb pfc set dev", a->subject, " prio-pfc all:off");
	for (unsigned int p = 0; p < QOS_PRIORITIES; p++)
		if (a->to.number >> p & 1)
			qos_add(to, size, " %u:on", p);
}

/* " WORD i:v…" of what differs. */
static void add_changed(char *to, size_t size, const char *word, const uint8_t *from, const uint8_t *value)
{
	bool begun = false;

	for (unsigned int i = 0; i < QOS_PRIORITIES; i++) {
		if (from[i] == value[i])
			continue;
		qos_add(to, size, "%s%s %u:%u", begun ? "" : " ", begun ? "" : word, i, value[i]);
		begun = true;
	}
}

static void ets_command(const struct qos_action *a, char *to, size_t size)
{
	add_begin(to, size, "dcb ets set dev", a->subject, "");
	add_changed(to, size, "prio-tc", a->from.tc_of, a->to.tc_of);
	add_changed(to, size, "tc-bw", a->from.tc_bandwidth, a->to.tc_bandwidth);
}

static void buffer_command(const struct qos_action *a, char *to, size_t size)
{
	bool begun = false;

	add_begin(to, size, "dcb buffer set dev", a->subject, "");
	add_changed(to, size, "prio-buffer", a->from.buffer_of, a->to.buffer_of);
	for (unsigned int b = 0; b < QOS_PRIORITIES; b++) {
		if (a->to.buffer_size[b] == a->from.buffer_size[b])
			continue;
		qos_add(to, size, "%s %u:%u", begun ? "" : " buffer-size", b, a->to.buffer_size[b]);
		begun = true;
	}
}

static void dcbx_command(const struct qos_action *a, char *to, size_t size)
{
	char modes[64];

	qos_value_text(QOS_DCBX, &a->to, modes, sizeof(modes));
	for (char *c = modes; *c; c++)
		*c = *c == ',' ? ' ' : *c;
	add_begin(to, size, "dcb dcbx set dev", a->subject, " ");
	qos_add(to, size, "%s", modes);
}

static void apptrust_command(const struct qos_action *a, char *to, size_t size)
{
	char order[64];

	qos_value_text(QOS_APP_TRUST, &a->to, order, sizeof(order));
	for (char *c = order; *c; c++)
		*c = *c == ',' ? ' ' : *c;
	add_begin(to, size, "dcb apptrust set dev", a->subject, " order ");
	qos_add(to, size, "%s", order);
}

static void pause_command(const struct qos_action *a, char *to, size_t size)
{
	add_begin(to, size, "ethtool -A", a->subject, "");
	qos_add(to, size, " rx %s tx %s", a->to.number & QOS_PAUSE_RX ? "on" : "off",
		a->to.number & QOS_PAUSE_TX ? "on" : "off");
}

static void file_command(const struct qos_action *a, char *to, size_t size)
{
	char path[320], line[64];

	if (!qos_action_folder(a, "/sys", path, sizeof(path)))
		add_begin(to, size, "mkdir -p", path, " && ");
	qos_action_line(a, line, sizeof(line));
	if (qos_action_file(a, "/sys", path, sizeof(path)))
		return;
	add_begin(to, size, "echo", line, " >");
	add_word(to, size, path);
}

void qos_action_command(const struct qos_action *a, char *to, size_t size)
{
	static void (*const commands[QOS_SETTINGS])(const struct qos_action *, char *, size_t) = {
		[QOS_DCBX] = dcbx_command,   [QOS_ETS] = ets_command, [QOS_BUFFER] = buffer_command,
		[QOS_PFC] = pfc_command,     [QOS_APP] = app_command, [QOS_APP_TRUST] = apptrust_command,
		[QOS_PAUSE] = pause_command,
	};

	if (commands[a->setting]) {
		commands[a->setting](a, to, size);
		return;
	}
	if (a->setting != QOS_MTU) {
		file_command(a, to, size);
		return;
	}
	add_begin(to, size, "ip link set dev", a->subject, "");
	qos_add(to, size, " mtu %u", a->to.number);
}

/* "1,0,2": a list of all eight, as mlnx_qos takes it. */
static void add_list(char *to, size_t size, const uint8_t *values)
{
	for (unsigned int i = 0; i < QOS_PRIORITIES; i++)
		qos_add(to, size, "%s%u", i ? "," : "", values[i]);
}

static const char *algorithm_name(uint8_t algorithm)
{
	return algorithm == IEEE_8021QAZ_TSA_STRICT ? "strict" : algorithm == IEEE_8021QAZ_TSA_ETS ? "ets" : "vendor";
}

static void mlx5_ets(const struct qos_action *a, char *to, size_t size)
{
	if (memcmp(a->from.tc_of, a->to.tc_of, sizeof(a->to.tc_of))) {
		qos_add(to, size, " -p ");
		add_list(to, size, a->to.tc_of);
	}
	if (!memcmp(a->from.tc_bandwidth, a->to.tc_bandwidth, sizeof(a->to.tc_bandwidth)))
		return;
	qos_add(to, size, " -s ");
	for (unsigned int t = 0; t < QOS_TCS; t++)
		qos_add(to, size, "%s%s", t ? "," : "", algorithm_name(a->tc_algorithm[t]));
	qos_add(to, size, " -t ");
	add_list(to, size, a->to.tc_bandwidth);
}

static void mlx5_buffer(const struct qos_action *a, char *to, size_t size)
{
	qos_add(to, size, " --prio2buffer=");
	add_list(to, size, a->to.buffer_of);
	if (!memcmp(a->from.buffer_size, a->to.buffer_size, sizeof(a->to.buffer_size)))
		return;
	for (unsigned int b = 0; b < QOS_PRIORITIES; b++)
		qos_add(to, size, "%s%u", b ? "," : " --buffer_size=", a->to.buffer_size[b]);
}

/* The trust goes with the first and the last entry, and mlnx_qos has a word of its own for it. */
static void mlx5_app(const struct qos_action *a, char *to, size_t size)
{
	const char *joint = "";
	bool has = false;

	for (unsigned int d = 0; d < QOS_DSCPS; d++)
		has |= a->to.priorities[d] != 0;
	if (a->flips_trust) {
		add_begin(to, size, "mlnx_qos -i", a->subject, has ? " --trust dscp" : " --trust pcp");
		return;
	}
	for (unsigned int d = 0; d < QOS_DSCPS; d++) {
		if (!(a->to.dscps >> d & 1) || !a->to.priorities[d])
			continue;
		qos_add(to, size, "%s", joint);
		add_begin(to, size, "mlnx_qos -i", a->subject, "");
		qos_add(to, size, " --dscp2prio set,%u,%u", d, (unsigned int)__builtin_ctz(a->to.priorities[d]));
		joint = " && ";
	}
}

bool qos_action_command_mlx5(const struct qos_action *a, char *to, size_t size)
{
	if (!a->mlx5)
		return false;
	switch (a->setting) {
	case QOS_DCBX:
		add_begin(to, size, "mlnx_qos -i", a->subject, " -d os");
		return true;
	case QOS_APP:
		mlx5_app(a, to, size);
		return true;
	case QOS_ETS:
		add_begin(to, size, "mlnx_qos -i", a->subject, "");
		mlx5_ets(a, to, size);
		return true;
	case QOS_BUFFER:
		add_begin(to, size, "mlnx_qos -i", a->subject, "");
		mlx5_buffer(a, to, size);
		return true;
	case QOS_PFC:
		add_begin(to, size, "mlnx_qos -i", a->subject, " --pfc ");
		for (unsigned int p = 0; p < QOS_PRIORITIES; p++)
			qos_add(to, size, "%s%u", p ? "," : "", a->to.number >> p & 1);
		return true;
	default:
		return false;
	}
}
