/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One change of one setting: the audit makes them, people read them as commands (here), and wardend carries them out
 * (qos/perform.h). The command and the deed come from the same values, so that they cannot differ. Owns no state.
 */
#ifndef WARDEN_ACTION_H
#define WARDEN_ACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qos/dcb.h"
#include "qos/profile.h"

#define QOS_NAME_LEN 64 /* of a netdev or an RDMA device */
#define QOS_PCI_LEN 16

/* Room for a command for each DSCP; a cut command would be worse than none. */
#define QOS_CURE_LEN 4096
/* A value as text; the longest is the priorities of all DSCPs, each with all of them. */
#define QOS_VALUE_LEN 1280

/* In the order in which changes are made; plan.c says why it is this one. */
enum qos_setting {
	QOS_DCBX,
	QOS_MTU,
	QOS_ETS,
	QOS_BUFFER,
	QOS_PAUSE,
	QOS_PFC,
	QOS_APP,
	QOS_APP_TRUST,
	QOS_CNP_DSCP,
	QOS_CNP_PRIORITY,
	QOS_ECN_NP,
	QOS_ECN_RP,
	QOS_CMA_MODE,
	QOS_CMA_TOS,
	QOS_TCLASS,
	QOS_SETTINGS
};

/* What a setting has, as far as it is that setting's; the rest is 0. Two are alike when their texts are. */
struct qos_value {
	unsigned int
		number; /* a number; DCB_CAP_DCBX_*, QOS_PAUSE_*, enum qos_roce_mode; of PFC bit p for priority p */
	uint64_t dscps; /* app table: bit d: `priorities[d]` is said */
	uint8_t priorities[QOS_DSCPS]; /* as qos_dcb.dscp_priorities */
	struct qos_selectors selectors;
	uint8_t tc_of[QOS_PRIORITIES], tc_bandwidth[QOS_TCS];
	uint8_t buffer_of[QOS_PRIORITIES];
	uint32_t buffer_size[QOS_PRIORITIES];
};

struct qos_action {
	enum qos_setting setting;
	char subject[QOS_NAME_LEN]; /* a netdev; from QOS_CMA_MODE on an RDMA device */
	unsigned int priority; /* of QOS_ECN_* */
	char pci[QOS_PCI_LEN]; /* of QOS_CNP_*: the function whose debugfs has it; "": OFED's file of the netdev */
	struct qos_value from, to;
	/* For mlnx_qos alone, which says some things otherwise. */
	bool mlx5, flips_trust;
	uint8_t tc_algorithm[QOS_TCS];
};

const char *qos_setting_name(enum qos_setting setting);
/* The setting of that name, or -ENOENT. */
int qos_setting_find(const char *name);

/* The setting with what tells it from its likes: "ecn-np 5". */
void qos_action_name(const struct qos_action *action, char *to, size_t size);
/* By what the warden sets it: "DCB netlink", or a file. */
void qos_action_by(const struct qos_action *action, char *to, size_t size);

/* Appends the command for people; that with mlnx_qos, where there is one (else false, and nothing is appended). */
void qos_action_command(const struct qos_action *action, char *to, size_t size);
bool qos_action_command_mlx5(const struct qos_action *action, char *to, size_t size);

/*
 * The file below `root` and, of rdma_cm, the folder that shows it: 0, -ENOENT for what is no file, or -EINVAL when the
 * subject cannot be a part of a path.
 */
int qos_action_file(const struct qos_action *action, const char *root, char *to, size_t size);
int qos_action_folder(const struct qos_action *action, const char *root, char *to, size_t size);
/* The line that is written into the file. */
void qos_action_line(const struct qos_action *action, char *to, size_t size);

/* What the qos_reading of a setting of such a kind is, and back: 0, or -EINVAL for a text that no value has. */
void qos_value_text(enum qos_setting setting, const struct qos_value *value, char *to, size_t size);
int qos_value_parse(enum qos_setting setting, const char *text, struct qos_value *value);
bool qos_value_same(enum qos_setting setting, const struct qos_value *a, const struct qos_value *b);

/* Appends; the texts are sized so that nothing is cut. */
void qos_add(char *to, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
