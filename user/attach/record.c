// SPDX-License-Identifier: Apache-2.0
#include "attach/record.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fault.h"
#include "lib/json.h"
#include "lib/mac.h"
#include "lib/util.h"

#define FORMAT 1
#define MAX_BYTES (8 << 20) /* a configuration of 1 MiB, escaped, and a result */
#define DAMAGED ".damaged"

static const char *const step_names[STEP_COUNT] = {
	[STEP_INTENT] = "intent", [STEP_VF] = "vf",     [STEP_NETDEV] = "netdev",       [STEP_RDMA] = "rdma",
	[STEP_CLAIM] = "claim",   [STEP_IPAM] = "ipam", [STEP_ADDRESSES] = "addresses", [STEP_ATTACHED] = "attached",
	[STEP_DELETE] = "delete", [STEP_HOME] = "home",
};

const char *record_step_name(enum record_step step)
{
	return step_names[step];
}

static int step_find(const char *name)
{
	for (int i = 0; i < STEP_COUNT; i++)
		if (!strcmp(step_names[i], name))
			return i;
	return -ENOENT;
}

void record_free(struct record *r)
{
	if (!r)
		return;
	free(r->config);
	free(r->result);
	free(r);
}

/* ---- files ---- */

/* Neither part can have a colon (cni_is_name, dev_valid_name). */
int record_file(const struct record *r, char *to, size_t size)
{
	return try_snprintf(to, size < NAME_MAX - sizeof(DAMAGED) ? size : NAME_MAX - sizeof(DAMAGED), "%s:%s%s",
			    r->container_id, r->ifname, r->role == NETCONF_RDMA ? ":rdma" : "");
}

int record_folder(const char *state_dir, char to[PATH_MAX], struct err *err)
{
	int r = try_snprintf(to, PATH_MAX, "%s/attach", state_dir);

	if (!r)
		r = make_dirs(to);
	return r ? fail(err, r, "state_dir %s: %s", state_dir, strerror(-r)) : 0;
}

static int record_path(const char *folder, const struct record *record, char to[PATH_MAX], struct err *err)
{
	char file[NAME_MAX + 1];
	int r = record_file(record, file, sizeof(file));

	if (!r)
		r = try_snprintf(to, PATH_MAX, "%s/%s", folder, file);
	return r ? fail(err, r, "container %.64s…: its ID is too long for the name of a file", record->container_id)
		 : 0;
}

/* Adds a line. Of one that does not find room nothing stays. */
static int write_line(int fd, cJSON *json, bool sync)
{
	_cleanup_free_ char *text = cJSON_PrintUnformatted(json);
	size_t len = text ? strlen(text) : 0;
	struct stat st;
	int r;

	if (!text)
		return -ENOMEM;
	if (fstat(fd, &st))
		return -errno;
	text[len] = '\n'; /* in the NUL's place */
	r = write_all(fd, text, len + 1);
	if (!r && sync && fdatasync(fd))
		r = -errno;
	if (r && ftruncate(fd, st.st_size))
		return -EIO; /* the next reader cuts it off */
	return r;
}

/* ---- writing ---- */

/* A double, which is what JSON's numbers become, does not hold 64 bits. */
static void add_u64(cJSON *json, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	cJSON_AddStringToObject(json, key, text);
}

static void add_mac(cJSON *json, const char *key, const uint8_t mac[6])
{
	char text[MAC_TEXT_LEN];

	mac_print(mac, text);
	cJSON_AddStringToObject(json, key, text);
}

static void add_vf(cJSON *json, const struct sriov_vf *vf)
{
	cJSON *to = cJSON_AddObjectToObject(json, "vf");

	add_mac(to, "mac", vf->mac);
	cJSON_AddNumberToObject(to, "vlan", (double)vf->vlan);
	cJSON_AddNumberToObject(to, "vlan_qos", (double)vf->vlan_qos);
	cJSON_AddNumberToObject(to, "vlan_proto", (double)vf->vlan_proto);
	cJSON_AddNumberToObject(to, "min_rate", (double)vf->min_rate);
	cJSON_AddNumberToObject(to, "max_rate", (double)vf->max_rate);
	cJSON_AddNumberToObject(to, "spoofchk", vf->spoofchk);
	cJSON_AddNumberToObject(to, "trust", vf->trust);
	cJSON_AddNumberToObject(to, "link_state", vf->link_state);
}

static void add_altnames(cJSON *json, const struct record *r)
{
	cJSON *list = cJSON_AddArrayToObject(json, "host_altnames");

	for (size_t i = 0; i < r->host_altnames; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(r->host_altname[i]));
}

static cJSON *to_json(const struct record *r)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddNumberToObject(json, "format", FORMAT);
	cJSON_AddStringToObject(json, "container_id", r->container_id);
	cJSON_AddStringToObject(json, "ifname", r->ifname);
	cJSON_AddStringToObject(json, "network", r->network);
	cJSON_AddNumberToObject(json, "role", r->role);
	cJSON_AddStringToObject(json, "owner", r->owner);
	cJSON_AddStringToObject(json, "pci", r->pci);
	add_u64(json, "netns_cookie", r->netns.cookie);
	add_u64(json, "netns", r->netns.inum);
	cJSON_AddStringToObject(json, "netns_path", r->netns_path);
	cJSON_AddStringToObject(json, "boot_id", r->boot_id);
	if (r->has_netdev) {
		cJSON_AddStringToObject(json, "host_name", r->host_name);
		add_mac(json, "host_mac", r->host_mac);
		cJSON_AddNumberToObject(json, "host_mtu", r->host_mtu);
		cJSON_AddBoolToObject(json, "host_up", r->host_up);
		add_altnames(json, r);
	}
	if (r->has_vf)
		add_vf(json, &r->vf);
	if (r->has_rdma) {
		cJSON_AddStringToObject(json, "rdma_name", r->rdma_name);
		add_u64(json, "rdma_guid", r->rdma_guid);
	}
	cJSON_AddBoolToObject(json, "softroce", r->softroce);
	if (r->softroce)
		cJSON_AddStringToObject(json, "soft_name", r->rdma_name);
	cJSON_AddBoolToObject(json, "ipam", r->has_ipam);
	cJSON_AddStringToObject(json, "cni_path", r->cni_path);
	cJSON_AddStringToObject(json, "cni_args", r->cni_args);
	cJSON_AddStringToObject(json, "config", r->config ? r->config : "");
	return json;
}

int record_create(const char *folder, const struct record *record, struct err *err)
{
	_cleanup_(json_free) cJSON *json = to_json(record);
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int r = record_path(folder, record, path, err);

	if (r)
		return r;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(err, -errno, "journal %s: %s", path, strerror(errno));
	r = fault_around("record.create", write_line(fd, json, true));
	if (!r)
		r = sync_dir(folder);
	if (r) {
		unlink(path);
		return fail(err, r, "journal %s: %s", path, strerror(-r));
	}
	return 0;
}

int record_advance(const char *folder, struct record *record, enum record_step step, const char *result, bool sync,
		   struct err *err)
{
	_cleanup_(json_free) cJSON *json = cJSON_CreateObject();
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *copy = result ? strdup(result) : NULL;
	char path[PATH_MAX];
	int r = record_path(folder, record, path, err);

	if (r)
		return r;
	cJSON_AddStringToObject(json, "step", step_names[step]);
	if (result)
		cJSON_AddStringToObject(json, "result", result);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	r = fd < 0 || (result && !copy) ? -errno : fault_around("record.advance", write_line(fd, json, sync));
	if (r)
		return fail(err, r, "journal %s: %s", path, strerror(-r));
	record->step = step;
	if (copy) {
		free(record->result);
		record->result = take_ptr(copy);
	}
	return 0;
}

int record_remove(const char *folder, const struct record *record, struct err *err)
{
	char path[PATH_MAX];
	int r = record_path(folder, record, path, err);

	if (r)
		return r;
	r = fault_around("record.remove", unlink(path) && errno != ENOENT ? -errno : 0);
	if (r)
		return fail(err, r, "journal %s: %s", path, strerror(-r));
	r = sync_dir(folder);
	return r ? fail(err, r, "journal %s: %s", folder, strerror(-r)) : 0;
}

/* ---- reading: the file is the warden's own, and checked as if it were anybody's ---- */

static int get_text(const cJSON *json, const char *key, char *to, size_t size)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

	return cJSON_IsString(item) ? try_snprintf(to, size, "%s", item->valuestring) : -EINVAL;
}

static int get_u64(const cJSON *json, const char *key, uint64_t max, uint64_t *to)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

	return cJSON_IsString(item) ? parse_u64(item->valuestring, 10, 0, max, to) : -EINVAL;
}

static int get_number(const cJSON *json, const char *key, double min, double max, int64_t *to)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

	if (!cJSON_IsNumber(item) || !(item->valuedouble >= min && item->valuedouble <= max) ||
	    item->valuedouble != (double)(int64_t)item->valuedouble)
		return -EINVAL;
	*to = (int64_t)item->valuedouble;
	return 0;
}

static int get_int(const cJSON *json, const char *key, int *to)
{
	int64_t value = 0;
	int r = get_number(json, key, INT32_MIN, INT32_MAX, &value);

	*to = (int)value;
	return r;
}

static int get_mac(const cJSON *json, const char *key, uint8_t mac[6])
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

	return cJSON_IsString(item) ? mac_parse(item->valuestring, mac) : -EINVAL;
}

static int get_bool(const cJSON *json, const char *key, bool *to)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

	*to = cJSON_IsTrue(item);
	return cJSON_IsBool(item) ? 0 : -EINVAL;
}

static int read_vf(const cJSON *json, struct record *r)
{
	const cJSON *vf = cJSON_GetObjectItemCaseSensitive(json, "vf");
	int64_t proto = 0;

	r->has_vf = vf;
	if (!vf)
		return 0;
	if (get_mac(vf, "mac", r->vf.mac) || get_number(vf, "vlan", -1, 4095, &r->vf.vlan) ||
	    get_number(vf, "vlan_qos", -1, 7, &r->vf.vlan_qos) ||
	    get_number(vf, "vlan_proto", -1, UINT16_MAX, &proto) ||
	    get_number(vf, "min_rate", -1, UINT32_MAX, &r->vf.min_rate) ||
	    get_number(vf, "max_rate", -1, UINT32_MAX, &r->vf.max_rate) || get_int(vf, "spoofchk", &r->vf.spoofchk) ||
	    get_int(vf, "trust", &r->vf.trust) || get_int(vf, "link_state", &r->vf.link_state))
		return -EINVAL;
	r->vf.vlan_proto = (int)proto;
	return 0;
}

static int read_altnames(const cJSON *json, struct record *r)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(json, "host_altnames"), *one;

	if (!cJSON_IsArray(list))
		return -EINVAL;
	cJSON_ArrayForEach (one, list)
		if (r->host_altnames == NETDEV_ALTNAMES || !cJSON_IsString(one) ||
		    try_snprintf(r->host_altname[r->host_altnames++], NETDEV_ALTNAME_LEN, "%s", one->valuestring))
			return -EINVAL;
	return 0;
}

static int read_devices(const cJSON *json, struct record *r)
{
	int64_t mtu = 0;

	r->has_netdev = cJSON_HasObjectItem(json, "host_name");
	r->has_rdma = cJSON_HasObjectItem(json, "rdma_name");
	if (r->has_netdev &&
	    (get_text(json, "host_name", r->host_name, sizeof(r->host_name)) ||
	     get_mac(json, "host_mac", r->host_mac) || get_number(json, "host_mtu", 0, UINT32_MAX, &mtu) ||
	     get_bool(json, "host_up", &r->host_up) || read_altnames(json, r)))
		return -EINVAL;
	r->host_mtu = (uint32_t)mtu;
	if (r->has_rdma && (get_text(json, "rdma_name", r->rdma_name, sizeof(r->rdma_name)) ||
			    get_u64(json, "rdma_guid", UINT64_MAX, &r->rdma_guid)))
		return -EINVAL;
	return read_vf(json, r);
}

static int read_names(const cJSON *json, struct record *r)
{
	int64_t format, role;
	uint64_t inum;

	if (get_number(json, "format", FORMAT, FORMAT, &format) || get_number(json, "role", 1, 4, &role) || role == 3 ||
	    get_text(json, "container_id", r->container_id, sizeof(r->container_id)) ||
	    !cni_is_name(r->container_id, sizeof(r->container_id) - 1) ||
	    get_text(json, "ifname", r->ifname, sizeof(r->ifname)) || !cni_is_ifname(r->ifname) ||
	    get_text(json, "network", r->network, sizeof(r->network)) ||
	    get_text(json, "owner", r->owner, sizeof(r->owner)) || get_text(json, "pci", r->pci, sizeof(r->pci)) ||
	    get_u64(json, "netns_cookie", UINT64_MAX, &r->netns.cookie) || get_u64(json, "netns", UINT32_MAX, &inum) ||
	    get_text(json, "netns_path", r->netns_path, sizeof(r->netns_path)) ||
	    get_text(json, "boot_id", r->boot_id, sizeof(r->boot_id)))
		return -EINVAL;
	r->role = (enum netconf_role)role;
	r->netns.inum = (uint32_t)inum;
	return 0;
}

static int read_first(const cJSON *json, struct record *r)
{
	const cJSON *config = cJSON_GetObjectItemCaseSensitive(json, "config");
	struct cni_args args = {};
	struct cni_error ignored;

	if (read_names(json, r) || read_devices(json, r) || get_bool(json, "softroce", &r->softroce) ||
	    (r->softroce && get_text(json, "soft_name", r->rdma_name, sizeof(r->rdma_name))) ||
	    get_bool(json, "ipam", &r->has_ipam) || get_text(json, "cni_path", r->cni_path, sizeof(r->cni_path)) ||
	    get_text(json, "cni_args", r->cni_args, sizeof(r->cni_args)) || !cJSON_IsString(config))
		return -EINVAL;
	if (!cni_args_read(r->cni_args, &args, &ignored))
		memcpy(r->pod_uid, args.pod_uid, sizeof(r->pod_uid));
	r->config = strdup(config->valuestring);
	return r->config ? 0 : -ENOMEM;
}

static int read_step(const cJSON *json, struct record *r)
{
	const cJSON *result = cJSON_GetObjectItemCaseSensitive(json, "result");
	char name[32];
	int step;

	if (get_text(json, "step", name, sizeof(name)))
		return -EINVAL;
	step = step_find(name);
	if (step < 0 || (result && !cJSON_IsString(result)))
		return -EINVAL;
	r->step = (enum record_step)step;
	if (!result)
		return 0;
	free(r->result);
	r->result = strdup(result->valuestring);
	return r->result ? 0 : -ENOMEM;
}

/*
 * A first line that is not whole is no attachment: nothing was done before it was. That is -ENODATA. `whole`: up to where
 * the lines are.
 */
static int read_lines(const char *text, size_t len, struct record *r, size_t *whole)
{
	const char *line = text, *newline;
	bool first = true;
	int e = 0;

	while (!e && (newline = memchr(line, '\n', len - (size_t)(line - text)))) {
		struct err err;
		_cleanup_(json_free) cJSON *json = json_parse_strict(line, (size_t)(newline - line), &err);

		e = !json ? -EINVAL : first ? read_first(json, r) : read_step(json, r);
		first = false;
		line = newline + 1;
	}
	*whole = (size_t)(line - text);
	return e ? e : first ? -ENODATA : 0;
}

static int set_aside(const char *path, struct err *err)
{
	char aside[PATH_MAX];

	if (try_snprintf(aside, sizeof(aside), "%s" DAMAGED, path) || rename(path, aside))
		return fail(err, -EBADMSG, "journal %s: damaged, and cannot be set aside", path);
	return fail(err, -EBADMSG, "journal %s: damaged; set aside as %s", path, aside);
}

int record_read(const char *folder, const char *file, struct record **record, struct err *err)
{
	struct record *new = calloc(1, sizeof(*new));
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX], own[NAME_MAX + 1];
	size_t len = 0, whole = 0;
	int r = new ? try_snprintf(path, sizeof(path), "%s/%s", folder, file) : -ENOMEM;

	if (!r)
		r = read_regular(path, MAX_BYTES, &text, &len);
	if (!r)
		r = read_lines(text, len, new, &whole);
	/* One that was copied would be two attachments of one. */
	if (!r && (record_file(new, own, sizeof(own)) || strcmp(own, file)))
		r = -EINVAL;
	/* Or the next line would be part of the torn one. */
	if (!r && whole < len && truncate(path, (off_t)whole))
		r = -errno;
	if (!r) {
		*record = new;
		return 0;
	}
	record_free(new);
	if (r == -EINVAL || r == -EBADMSG)
		return set_aside(path, err);
	if (r == -ENODATA)
		unlink(path);
	return fail(err, r, "journal %s: %s", path, r == -ENODATA ? "nothing had begun" : strerror(-r));
}

static bool is_aside(const char *name)
{
	size_t len = strlen(name);

	return len > strlen(DAMAGED) && !strcmp(name + len - strlen(DAMAGED), DAMAGED);
}

int record_for_each(const char *folder, void (*visit)(struct record *record, void *ctx),
		    void (*damaged)(const char *why, void *ctx), void *ctx, struct err *err)
{
	_cleanup_closedir_ DIR *dir = opendir(folder);
	struct record *record;
	struct dirent *entry;
	struct err why;
	int r;

	if (!dir)
		return fail(err, -errno, "journal %s: %s", folder, strerror(errno));
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || is_aside(entry->d_name))
			continue;
		r = record_read(folder, entry->d_name, &record, &why);
		if (!r)
			visit(record, ctx);
		else if (r != -ENODATA && r != -ENOENT)
			damaged(why.text, ctx);
	}
	return 0;
}
