// SPDX-License-Identifier: Apache-2.0
#include "kube/devinfo.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "lib/util.h"

#define BYTES_MAX (64 << 10)

int devinfo_dp_name(const char *resource, const char *device, char *to, size_t size)
{
	int r = try_snprintf(to, size, "%s-%s-device.json", resource, device);

	if (r)
		return r;
	for (; *to; to++)
		if (*to == '/')
			*to = '-';
	return 0;
}

/* ---- one file ---- */

static const char *text_of(const cJSON *object, const char *name)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsString(value) ? value->valuestring : NULL;
}

/* 'x' stands for a digit. */
static bool pci_valid(const char *text)
{
	const char *shape = "xxxx:xx:xx.x";

	for (; *shape && *text; shape++, text++)
		if (*shape == 'x' ? !isdigit((unsigned char)*text) && !(*text >= 'a' && *text <= 'f') : *shape != *text)
			return false;
	return *shape == *text;
}

static bool rdma_valid(const char *text)
{
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr("_-.,:", *text))
			return false;
	return true;
}

static int read_pci(const cJSON *json, struct devinfo *info, struct err *err)
{
	const cJSON *pci = cJSON_GetObjectItemCaseSensitive(json, "pci");
	const char *address = text_of(pci, "pci-address"), *rdma = text_of(pci, "rdma-device");

	if (!address || !pci_valid(address))
		return fail(err, -EBADMSG, "\"pci-address\" is missing or not legal");
	strcpy(info->pci_address, address);
	if (cJSON_HasObjectItem(pci, "rdma-device") && !rdma)
		return fail(err, -EBADMSG, "\"rdma-device\" is no text");
	if (rdma && (!rdma_valid(rdma) || try_snprintf(info->rdma_device, sizeof(info->rdma_device), "%s", rdma)))
		return fail(err, -EBADMSG, "\"rdma-device\" is not legal");
	return 0;
}

static int read_text(const char *text, size_t len, struct devinfo *info, struct err *err)
{
	_cleanup_(json_free) cJSON *json = json_parse_strict(text, len, err);
	const char *type = text_of(json, "type");

	if (!json)
		return -EBADMSG;
	if (!type)
		return fail(err, -EBADMSG, "\"type\" is missing");
	return strcmp(type, "pci") ? fail(err, -ENODATA, "it is of another type than \"pci\"")
				   : read_pci(json, info, err);
}

int devinfo_read(const char *dir, const char *file, struct devinfo *info, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	struct err why = {};
	size_t len;
	int r = try_snprintf(path, sizeof(path), "%s/%s", dir, file);

	*info = (struct devinfo){};
	if (!r)
		r = try_snprintf(info->file, sizeof(info->file), "%s", file);
	if (!r)
		r = read_regular(path, BYTES_MAX, &text, &len);
	if (r)
		return fail(err, r, "%s/%s: %s", dir, file, r == -EBADMSG ? "it is no file of a device" : strerror(-r));
	r = read_text(text, len, info, &why);
	return r ? fail(err, r, "%s: %s", path, why.text) : 0;
}

/* ---- a folder ---- */

void devinfo_free(struct devinfos *infos)
{
	free(infos->list);
	*infos = (struct devinfos){};
}

static struct devinfo *next_of(struct devinfos *infos)
{
	size_t room = infos->room ? 2 * infos->room : 16;
	struct devinfo *bigger;

	if (infos->count < infos->room)
		return &infos->list[infos->count];
	bigger = realloc(infos->list, room * sizeof(*bigger));
	if (!bigger)
		return NULL;
	infos->list = bigger;
	infos->room = room;
	return &infos->list[infos->count];
}

/* One that has gone meanwhile is not there. */
static int add_file(struct devinfos *infos, const char *dir, const char *file, struct err *err)
{
	struct devinfo *info = next_of(infos);
	struct err why;
	int r;

	if (!info)
		return fail(err, -ENOMEM, "%s: out of memory", dir);
	r = devinfo_read(dir, file, info, &why);
	if (!r && infos->count == DEVINFO_MAX)
		return fail(err, -E2BIG, "%s: more than %d files", dir, DEVINFO_MAX);
	if (!r)
		infos->count++;
	else if (r != -ENODATA && r != -ENOENT && !infos->bad++)
		infos->first_bad = why;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct devinfo *)a)->file, ((const struct devinfo *)b)->file);
}

static int read_folder(const char *dir, struct devinfos *infos, struct err *err)
{
	_cleanup_closedir_ DIR *folder = opendir(dir);
	const struct dirent *entry;
	int r = 0;

	if (!folder)
		return errno == ENOENT ? 0 : fail(err, -errno, "%s: %s", dir, strerror(errno));
	while (!r && (entry = readdir(folder)))
		if (entry->d_name[0] != '.')
			r = add_file(infos, dir, entry->d_name, err);
	return r;
}

int devinfo_list(const char *dir, struct devinfos *infos, struct err *err)
{
	struct devinfos draft = {};
	int r = read_folder(dir, &draft, err);

	if (r) {
		devinfo_free(&draft);
		return r;
	}
	if (draft.count)
		qsort(draft.list, draft.count, sizeof(*draft.list), by_name);
	*infos = draft;
	return 0;
}
