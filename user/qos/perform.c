// SPDX-License-Identifier: Apache-2.0
#include "qos/perform.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/dcbnl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/util.h"
#include "qos/host.h"

/* ---- rdma_cm's folders ---- */

/* Made for as long as it is needed, as for the reading (qos/host.h): the value is the device's, not the folder's. */
static bool folder_make(const struct qos_action *a, const char *root, char *folder)
{
	return !qos_action_folder(a, root, folder, PATH_MAX) && !mkdir(folder, 0755);
}

/* ---- reading ---- */

static int dcb_read(const struct qos_action *a, struct qos_value *value)
{
	struct qos_dcb dcb;
	bool told = false;

	qos_dcb_read(a->subject, &dcb);
	if (dcb.error)
		return dcb.error;
	switch (a->setting) {
	case QOS_DCBX:
		value->number = dcb.dcbx;
		told = dcb.has_dcbx;
		break;
	case QOS_PFC:
		value->number = dcb.pfc;
		told = dcb.has_pfc;
		break;
	case QOS_APP:
		value->dscps = a->to.dscps;
		memcpy(value->priorities, dcb.dscp_priorities, sizeof(value->priorities));
		told = dcb.has_apps;
		break;
	case QOS_APP_TRUST:
		value->selectors = dcb.trust;
		told = dcb.has_trust;
		break;
	case QOS_ETS:
		memcpy(value->tc_of, dcb.tc_of, sizeof(value->tc_of));
		memcpy(value->tc_bandwidth, dcb.tc_bandwidth, sizeof(value->tc_bandwidth));
		told = dcb.has_ets;
		break;
	default:
		memcpy(value->buffer_of, dcb.buffer_of, sizeof(value->buffer_of));
		memcpy(value->buffer_size, dcb.buffer_size, sizeof(value->buffer_size));
		told = dcb.has_buffer;
	}
	return told ? 0 : -EOPNOTSUPP;
}

static int request_of(const char *netdev, struct ifreq *request)
{
	*request = (struct ifreq){};
	return try_snprintf(request->ifr_name, sizeof(request->ifr_name), "%s", netdev);
}

static int mtu_read(const char *netdev, unsigned int *mtu)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request;

	if (request_of(netdev, &request))
		return -ENODEV;
	if (fd < 0 || ioctl(fd, SIOCGIFMTU, &request))
		return -errno;
	*mtu = (unsigned int)request.ifr_mtu;
	return 0;
}

/* OFED's traffic_class has its value in words, and takes it without. */
static int file_read(const char *root, const struct qos_action *a, struct qos_value *value)
{
	static const char tclass[] = "Global tclass=";
	char path[PATH_MAX], folder[PATH_MAX], line[64];
	bool made = folder_make(a, root, folder);
	const char *text = line;
	int r = qos_action_file(a, root, path, sizeof(path));

	if (!r)
		r = read_line(path, line, sizeof(line));
	if (made)
		rmdir(folder);
	if (r)
		return r;
	if (a->setting == QOS_TCLASS && !strncmp(line, tclass, strlen(tclass)))
		text += strlen(tclass);
	return qos_value_parse(a->setting, text, value);
}

int qos_setting_read(const char *root, const struct qos_action *a, struct qos_value *value)
{
	struct qos_reading pause;

	*value = (struct qos_value){};
	switch (a->setting) {
	case QOS_DCBX:
	case QOS_ETS:
	case QOS_BUFFER:
	case QOS_PFC:
	case QOS_APP:
	case QOS_APP_TRUST:
		return dcb_read(a, value);
	case QOS_MTU:
		return mtu_read(a->subject, &value->number);
	case QOS_PAUSE:
		pause = qos_pause_read(a->subject);
		value->number = pause.value;
		return pause.error;
	default:
		return file_read(root, a, value);
	}
}

/* ---- setting ---- */

static int mtu_set(const char *netdev, unsigned int mtu)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request;

	if (request_of(netdev, &request))
		return -ENODEV;
	request.ifr_mtu = (int)mtu;
	return fd < 0 || ioctl(fd, SIOCSIFMTU, &request) ? -errno : 0;
}

/* What is negotiated about it stays as it is. */
static int pause_set(const char *netdev, unsigned int pause)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_pauseparam param = { .cmd = ETHTOOL_GPAUSEPARAM };
	struct ifreq request;

	if (request_of(netdev, &request))
		return -ENODEV;
	request.ifr_data = (char *)&param;
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &request))
		return -errno;
	param.cmd = ETHTOOL_SPAUSEPARAM;
	param.rx_pause = !!(pause & QOS_PAUSE_RX);
	param.tx_pause = !!(pause & QOS_PAUSE_TX);
	return ioctl(fd, SIOCETHTOOL, &request) ? -errno : 0;
}

/* mlx5 shows firmware's DCBX as the lack of the host's, does not take that mode back, and means it by 0 (en_dcbnl.c). */
static int dcbx_set(const char *netdev, unsigned int mode)
{
	int r = qos_dcb_set_dcbx(netdev, (uint8_t)mode);

	return r && !(mode & DCB_CAP_DCBX_HOST) ? qos_dcb_set_dcbx(netdev, 0) : r;
}

/* In one write, as sysfs wants it; a file that is not there is not made. */
static int write_line(const char *path, const char *line)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t len = (ssize_t)strlen(line), written;

	if (fd < 0)
		return -errno;
	written = write(fd, line, (size_t)len);
	if (written < 0)
		return -errno;
	return written == len ? 0 : -EIO;
}

static int file_set(const char *root, const struct qos_action *a)
{
	char path[PATH_MAX], folder[PATH_MAX], line[64];
	bool made = folder_make(a, root, folder);
	int r = qos_action_file(a, root, path, sizeof(path));

	qos_action_line(a, line, sizeof(line) - 1);
	strcat(line, "\n"); /* as echo has it: drivers of OFED look for it */
	if (!r)
		r = write_line(path, line);
	if (made)
		rmdir(folder);
	return r;
}

static int set(const char *root, const struct qos_action *a)
{
	const struct qos_value *to = &a->to;

	switch (a->setting) {
	case QOS_DCBX:
		return dcbx_set(a->subject, to->number);
	case QOS_MTU:
		return mtu_set(a->subject, to->number);
	case QOS_ETS:
		return qos_dcb_set_ets(a->subject, to->tc_of, to->tc_bandwidth);
	case QOS_BUFFER:
		return qos_dcb_set_buffer(a->subject, to->buffer_of, to->buffer_size);
	case QOS_PAUSE:
		return pause_set(a->subject, to->number);
	case QOS_PFC:
		return qos_dcb_set_pfc(a->subject, (uint8_t)to->number);
	case QOS_APP:
		return qos_dcb_set_apps(a->subject, to->dscps, to->priorities);
	case QOS_APP_TRUST:
		return qos_dcb_set_trust(a->subject, &to->selectors);
	default:
		return file_set(root, a);
	}
}

int qos_action_perform(const char *root, const struct qos_action *a, struct err *err)
{
	char text[QOS_VALUE_LEN];
	struct qos_value now;
	int r = set(root, a);

	if (r)
		return fail(err, r, "refused: %s", strerror(-r));
	r = qos_setting_read(root, a, &now);
	if (r)
		return fail(err, r, "taken, but it cannot be read back: %s", strerror(-r));
	if (qos_value_same(a->setting, &now, &a->to))
		return 0;
	qos_value_text(a->setting, &now, text, sizeof(text));
	return fail(err, -EIO, "taken, but it did not stick: it has %.200s", text);
}
