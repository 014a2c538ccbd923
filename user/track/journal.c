// SPDX-License-Identifier: Apache-2.0
#include "track/journal.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "lib/json.h"
#include "lib/util.h"

#define FORMAT 1
#define MAX_BYTES (8 << 20) /* 4,096 claims of 1,100 bytes, and room */

static int boot_id(char *to, size_t size)
{
	return read_line("/proc/sys/kernel/random/boot_id", to, size);
}

static int file_path(const char *dir, const char *suffix, char *to)
{
	return try_snprintf(to, PATH_MAX, "%s/claims.json%s", dir, suffix);
}

/* ---- writing ---- */

/* A double, which is what JSON's numbers become, does not hold 64 bits. */
static void add_u64(cJSON *json, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	cJSON_AddStringToObject(json, key, text);
}

static cJSON *claim_json(const struct known_claim *k)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "owner", k->claim.owner);
	cJSON_AddStringToObject(json, "source", k->claim.source);
	cJSON_AddStringToObject(json, "resource", k->claim.resource);
	cJSON_AddStringToObject(json, "pci", k->parent);
	add_u64(json, "node_guid", k->node_guid);
	add_u64(json, "index", k->index);
	add_u64(json, "id", k->claim.id);
	add_u64(json, "netns_cookie", k->claim.netns_cookie);
	add_u64(json, "netns", k->claim.netns_inum);
	add_u64(json, "cgroup_id", k->claim.cgroup_id);
	add_u64(json, "cgroup_level", k->claim.cgroup_level);
	add_u64(json, "since_ns", k->claim.since_ns);
	cJSON_AddBoolToObject(json, "discovered", k->claim.discovered);
	return json;
}

static char *to_text(const struct known_claim *claims, size_t count, const char *boot)
{
	_cleanup_(json_free) cJSON *json = cJSON_CreateObject();
	cJSON *list;

	cJSON_AddNumberToObject(json, "format", FORMAT);
	cJSON_AddStringToObject(json, "boot_id", boot);
	list = cJSON_AddArrayToObject(json, "claims");
	for (size_t i = 0; i < count; i++)
		cJSON_AddItemToArray(list, claim_json(&claims[i]));
	return cJSON_PrintUnformatted(json);
}

static int write_file(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	int r = fd < 0 ? -errno : write_all(fd, text, strlen(text));

	return !r && fsync(fd) ? -errno : r;
}

int journal_write(const char *dir, const struct known_claim *claims, size_t count, struct err *err)
{
	char path[PATH_MAX], fresh[PATH_MAX], boot[64];
	_cleanup_free_ char *text = NULL;
	int r = make_dirs(dir);

	if (!r)
		r = file_path(dir, "", path);
	if (!r)
		r = file_path(dir, ".new", fresh);
	if (!r)
		r = boot_id(boot, sizeof(boot));
	if (r)
		return fail(err, r, "state_dir %s: %s", dir, strerror(-r));
	text = to_text(claims, count, boot);
	r = text ? write_file(fresh, text) : -ENOMEM;
	if (!r && rename(fresh, path))
		r = -errno;
	if (!r)
		r = sync_dir(dir);
	return r ? fail(err, r, "%s: %s", path, strerror(-r)) : 0;
}

int journal_remove(const char *dir, struct err *err)
{
	char path[PATH_MAX];
	int r = file_path(dir, "", path);

	if (!r && unlink(path) && errno != ENOENT)
		r = -errno;
	return r ? fail(err, r, "%s/claims.json: %s", dir, strerror(-r)) : 0;
}

/* ---- reading: the file is the warden's own, and checked as if it were anybody's ---- */

static int get_u64(const cJSON *json, const char *key, uint64_t max, __u64 *to)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);
	uint64_t value = 0;
	int r = cJSON_IsString(item) ? parse_u64(item->valuestring, 10, 0, max, &value) : -EINVAL;

	*to = value;
	return r;
}

static int get_u32(const cJSON *json, const char *key, uint32_t *to)
{
	__u64 value;
	int r = get_u64(json, key, UINT32_MAX, &value);

	*to = (uint32_t)value;
	return r;
}

static int get_string(const cJSON *json, const char *key, char *to, size_t size)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

	return cJSON_IsString(item) ? try_snprintf(to, size, "%s", item->valuestring) : -EINVAL;
}

/* Older journals know none. */
static int get_resource(const cJSON *json, char *to, size_t size)
{
	return cJSON_HasObjectItem(json, "resource") ? get_string(json, "resource", to, size) : 0;
}

static int read_claim(const cJSON *json, struct known_claim *k)
{
	*k = (struct known_claim){};
	k->claim.discovered = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "discovered"));
	if (get_string(json, "owner", k->claim.owner, sizeof(k->claim.owner)) ||
	    get_string(json, "source", k->claim.source, sizeof(k->claim.source)) ||
	    get_resource(json, k->claim.resource, sizeof(k->claim.resource)) ||
	    get_string(json, "pci", k->parent, sizeof(k->parent)) ||
	    get_u64(json, "node_guid", UINT64_MAX, &k->node_guid) || get_u32(json, "index", &k->index) ||
	    get_u64(json, "id", UINT64_MAX, &k->claim.id) ||
	    get_u64(json, "netns_cookie", UINT64_MAX, &k->claim.netns_cookie) ||
	    get_u32(json, "netns", &k->claim.netns_inum) ||
	    get_u64(json, "cgroup_id", UINT64_MAX, &k->claim.cgroup_id) ||
	    get_u32(json, "cgroup_level", &k->claim.cgroup_level) ||
	    get_u64(json, "since_ns", UINT64_MAX, &k->claim.since_ns))
		return -EINVAL;
	return 0;
}

static long read_claims(const cJSON *json, const char *boot, struct known_claim *claims, size_t max)
{
	const cJSON *format = cJSON_GetObjectItemCaseSensitive(json, "format");
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(json, "claims"), *item;
	char written[64];
	size_t n = 0;

	if (!cJSON_IsNumber(format) || format->valuedouble != FORMAT || !cJSON_IsArray(list) ||
	    get_string(json, "boot_id", written, sizeof(written)))
		return -EINVAL;
	if (strcmp(written, boot))
		return 0;
	cJSON_ArrayForEach (item, list)
		if (n == max || read_claim(item, &claims[n++]))
			return -EINVAL;
	return (long)n;
}

long journal_read(const char *dir, struct known_claim *claims, size_t max, struct err *err)
{
	_cleanup_(json_free) cJSON *json = NULL;
	_cleanup_fclose_ FILE *file = NULL;
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX], boot[64];
	size_t len;
	long n;
	int r = file_path(dir, "", path);

	if (!r)
		r = boot_id(boot, sizeof(boot));
	if (r)
		return fail(err, r, "state_dir %s: %s", dir, strerror(-r));
	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT ? 0 : fail(err, -errno, "%s: %s", path, strerror(errno));
	text = malloc(MAX_BYTES);
	if (!text)
		return fail(err, -ENOMEM, "%s: out of memory", path);
	len = fread(text, 1, MAX_BYTES, file);
	json = len < MAX_BYTES && !json_find_nul(text, len) ? cJSON_ParseWithLength(text, len) : NULL;
	n = json ? read_claims(json, boot, claims, max) : -EINVAL;
	return n < 0 ? fail(err, (int)n, "%s: damaged; the claims in it are not taken", path) : n;
}
