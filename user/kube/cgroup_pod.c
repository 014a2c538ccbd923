// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "kube/cgroup_pod.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "lib/util.h"

struct part {
	const char *at;
	size_t len;
};

/* Where a walk down the path is. With the systemd driver each slice repeats the name of the one above it, `stem`. */
struct walk {
	const char *rest;
	struct part stem;
	bool systemd;
};

static bool next_part(const char **rest, struct part *part)
{
	*rest += strspn(*rest, "/");
	*part = (struct part){ *rest, strcspn(*rest, "/") };
	*rest += part->len;
	return part->len > 0;
}

static bool is(struct part part, const char *text)
{
	return part.len == strlen(text) && !memcmp(part.at, text, part.len);
}

static bool cut_front(struct part *part, const char *text, size_t len)
{
	if (part->len < len || memcmp(part->at, text, len) != 0)
		return false;
	part->at += len;
	part->len -= len;
	return true;
}

static bool cut_prefix(struct part *part, const char *text)
{
	return cut_front(part, text, strlen(text));
}

static bool cut_suffix(struct part *part, const char *text)
{
	size_t len = strlen(text);

	if (part->len < len || memcmp(part->at + part->len - len, text, len) != 0)
		return false;
	part->len -= len;
	return true;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool all_hex(struct part part)
{
	for (size_t i = 0; i < part.len; i++)
		if (!is_hex(part.at[i]))
			return false;
	return true;
}

static bool copy_uid(struct part part, char dash, char uid[POD_UID_LEN])
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	if (part.len != 32 && part.len != sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < part.len; i++) {
		bool dashed = part.len != 32 && form[i] == '-';

		if (dashed ? part.at[i] != dash : !is_hex(part.at[i]))
			return false;
		uid[i] = dashed ? '-' : part.at[i];
	}
	uid[part.len] = '\0';
	return true;
}

/* What the component says of its own: "burstable" is the word of kubepods-burstable.slice below kubepods.slice. */
static int next_word(struct walk *w, struct part *word)
{
	struct part slice;

	if (!next_part(&w->rest, &slice))
		return -ENOENT;
	*word = slice;
	if (!w->systemd)
		return 0;
	if (!cut_suffix(&slice, ".slice"))
		return -EINVAL;
	*word = slice;
	if (!cut_front(word, w->stem.at, w->stem.len) || !cut_prefix(word, "-"))
		return -EINVAL;
	w->stem = slice;
	return 0;
}

static enum pod_qos qos_of(struct part word)
{
	return is(word, "burstable") ? POD_BURSTABLE : is(word, "besteffort") ? POD_BESTEFFORT : POD_GUARANTEED;
}

static int read_pod(struct walk *w, struct cgroup_pod *pod)
{
	struct part word;
	int r = next_word(w, &word);

	if (r)
		return r;
	pod->qos = qos_of(word);
	if (pod->qos != POD_GUARANTEED)
		r = next_word(w, &word);
	if (r)
		return r;
	if (!cut_prefix(&word, "pod") || !copy_uid(word, w->systemd ? '_' : '-', pod->uid))
		return -EINVAL;
	pod->pod_len = (size_t)(w->rest - pod->path);
	return 0;
}

/* RUNTIME, the separator and an ID. What else there is in a pod is not of a container. */
static void read_container(struct part part, char separator, struct cgroup_pod *pod)
{
	static const struct {
		const char *name;
		enum pod_runtime runtime;
	} runtimes[] = {
		{ "cri-containerd", RUNTIME_CONTAINERD },
		{ "crio", RUNTIME_CRIO },
		{ "docker", RUNTIME_DOCKER },
	};
	enum pod_runtime runtime = RUNTIME_UNTOLD;

	for (size_t i = 0; i < ARRAY_SIZE(runtimes); i++) {
		struct part id = part;

		if (!cut_prefix(&id, runtimes[i].name) || !cut_front(&id, &separator, 1))
			continue;
		runtime = runtimes[i].runtime;
		part = id;
		break;
	}
	if (runtime != RUNTIME_UNTOLD)
		cut_suffix(&part, ".scope");
	if (part.len != CONTAINER_ID_LEN - 1 || !all_hex(part))
		return;
	memcpy(pod->container, part.at, part.len);
	pod->container[part.len] = '\0';
	pod->runtime = runtime;
}

static int read_tree(struct part root, const char *rest, struct cgroup_pod *pod)
{
	struct walk w = { .rest = rest, .stem = root };
	struct part part;
	int r;

	w.systemd = cut_suffix(&w.stem, ".slice");
	r = read_pod(&w, pod);
	if (!r && next_part(&w.rest, &part))
		read_container(part, '-', pod);
	return r;
}

/*
 * SLICE:RUNTIME:ID in one component: what a runtime told to use cgroupfs makes of the name that a kubelet with the
 * systemd driver gives it.
 */
static int read_single(struct part words, struct cgroup_pod *pod)
{
	struct part slice = { words.at, (size_t)((const char *)memchr(words.at, ':', words.len) - words.at) };

	cut_front(&words, slice.at, slice.len + 1);
	if (!cut_suffix(&slice, ".slice"))
		return -EINVAL;
	pod->qos = cut_prefix(&slice, "burstable-")    ? POD_BURSTABLE
		   : cut_prefix(&slice, "besteffort-") ? POD_BESTEFFORT
						       : POD_GUARANTEED;
	if (!cut_prefix(&slice, "pod") || !copy_uid(slice, '_', pod->uid))
		return -EINVAL;
	read_container(words, ':', pod);
	return 0;
}

/* kubepods, kubepods.slice, and below the kubelet's --cgroup-root=/a/b a-b-kubepods.slice. */
static bool is_root(struct part part)
{
	if (is(part, "kubepods"))
		return true;
	return cut_suffix(&part, ".slice") && (is(part, "kubepods") || cut_suffix(&part, "-kubepods"));
}

/* The part of SLICE:RUNTIME:ID after "kubepods-". */
static bool is_single(struct part part, struct part *words)
{
	static const char name[] = "kubepods-";
	const char *colon = memchr(part.at, ':', part.len), *found;

	if (!colon)
		return false;
	found = memmem(part.at, (size_t)(colon - part.at), name, sizeof(name) - 1);
	if (!found || (found != part.at && found[-1] != '-'))
		return false;
	found += sizeof(name) - 1;
	*words = (struct part){ found, part.len - (size_t)(found - part.at) };
	return true;
}

static bool base_is(const struct cgroup_pod *pod, const char *base)
{
	return !base || (strlen(base) == pod->base_len && !memcmp(pod->path, base, pod->base_len));
}

static int parse(const char *path, const char *base, struct cgroup_pod *pod)
{
	const char *rest = path;
	struct part part, words;

	while (next_part(&rest, &part)) {
		bool tree = is_root(part);

		pod->base_len = (size_t)(part.at - path - 1);
		if (is(part, ".."))
			return -EXDEV;
		if (is(part, "user.slice") && !base)
			return -ENOENT;
		if (!tree && !is_single(part, &words))
			continue;
		if (!base_is(pod, base))
			return -ENOENT;
		return tree ? read_tree(part, rest, pod) : read_single(words, pod);
	}
	return -ENOENT;
}

int cgroup_pod_parse(const char *path, const char *base, struct cgroup_pod *pod)
{
	struct cgroup_pod found = { .path = path };
	int r;

	*pod = (struct cgroup_pod){ 0 };
	if (strnlen(path, PATH_MAX) == PATH_MAX)
		return -ENAMETOOLONG;
	r = path[0] == '/' ? parse(path, base, &found) : -EINVAL;
	if (!r)
		*pod = found;
	return r;
}

/* cgroups(7): ID:CONTROLLERS:PATH, and 0::PATH of the v2 hierarchy. */
static int parse_line(const char *line, const char *base, struct cgroup_pod *pod)
{
	const char *path = strchr(line, ':');
	int r;

	path = path ? strchr(path + 1, ':') : NULL;
	r = path ? cgroup_pod_parse(path + 1, base, pod) : -EINVAL;
	pod->unified = !r && !strncmp(line, "0::", 3);
	return r;
}

static bool same_owner(const struct cgroup_pod *a, const struct cgroup_pod *b)
{
	return !strcmp(a->uid, b->uid) && !strcmp(a->container, b->container);
}

int cgroup_pod_of_process(char *text, const char *base, struct cgroup_pod *pod)
{
	struct cgroup_pod found = { 0 }, here;
	char *rest = NULL;
	int result = -ENOENT;

	*pod = found;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		int r = parse_line(line, base, &here);

		if (r && result == -ENOENT)
			result = r;
		if (r)
			continue;
		if (result == 0 && !same_owner(&found, &here))
			return -ENOTUNIQ;
		if (result != 0 || here.unified)
			found = here;
		result = 0;
	}
	*pod = found;
	return result;
}

const char *pod_qos_name(enum pod_qos qos)
{
	static const char *const names[] = {
		[POD_GUARANTEED] = "guaranteed",
		[POD_BURSTABLE] = "burstable",
		[POD_BESTEFFORT] = "besteffort",
	};

	return qos < ARRAY_SIZE(names) ? names[qos] : "?";
}

const char *pod_runtime_name(enum pod_runtime runtime)
{
	static const char *const names[] = {
		[RUNTIME_UNTOLD] = "",
		[RUNTIME_CONTAINERD] = "containerd",
		[RUNTIME_CRIO] = "cri-o",
		[RUNTIME_DOCKER] = "docker",
	};

	return runtime < ARRAY_SIZE(names) ? names[runtime] : "?";
}
