// SPDX-License-Identifier: Apache-2.0
#include "rdma/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/util.h"

#define MODULE "ib_core"
#define OPTION "netns_mode"
#define FILE_MAX (256 << 10)
#define LINE_BYTES 4096

static const char own_text[] =
	"# Written by wardend, whose configuration says \"set_exclusive\": an RDMA device is seen in its own\n"
	"# network namespace alone. Where ib_core is loaded from the initramfs, rebuild that.\n"
	"options " MODULE " " OPTION "=0\n";

/* ---- what is said ---- */

/* Names of modules and options, in which - and _ are the same. */
static bool same_name(const char *a, const char *b, size_t len)
{
	if (strlen(b) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (a[i] != b[i] && !(a[i] == '-' && b[i] == '_'))
			return false;
	return true;
}

/* As the kernel reads a bool: true is shared. What it refuses leaves the module unloaded, which is not for here to say. */
static enum rdma_boot_mode mode_of(const char *value)
{
	if (!value || strchr("yYtT1", value[0]))
		return value && !value[0] ? RDMA_BOOT_UNSET : RDMA_BOOT_SHARED;
	if (strchr("nNfF0", value[0]))
		return RDMA_BOOT_EXCLUSIVE;
	if (value[0] != 'o' && value[0] != 'O')
		return RDMA_BOOT_UNSET;
	return value[1] == 'n' || value[1] == 'N'   ? RDMA_BOOT_SHARED
	       : value[1] == 'f' || value[1] == 'F' ? RDMA_BOOT_EXCLUSIVE
						    : RDMA_BOOT_UNSET;
}

/* One word of the form OPTION[=VALUE]. */
static void take_option(char *word, enum rdma_boot_mode *mode)
{
	char *value = strchr(word, '=');
	enum rdma_boot_mode said;

	if (!same_name(word, OPTION, value ? (size_t)(value - word) : strlen(word)))
		return;
	said = mode_of(value ? value + 1 : NULL);
	if (said != RDMA_BOOT_UNSET)
		*mode = said;
}

static void take_line(char *line, enum rdma_boot_mode *mode)
{
	char *rest = NULL, *word = strtok_r(line, " \t\r", &rest);

	if (!word || strcmp(word, "options"))
		return;
	word = strtok_r(NULL, " \t\r", &rest);
	if (!word || !same_name(word, MODULE, strlen(word)))
		return;
	while ((word = strtok_r(NULL, " \t\r", &rest)))
		take_option(word, mode);
}

enum rdma_boot_mode rdma_boot_parse(const char *text, size_t len)
{
	enum rdma_boot_mode mode = RDMA_BOOT_UNSET;
	char line[LINE_BYTES];
	size_t n = 0;

	for (size_t i = 0; i <= len; i++) {
		char c = i < len ? text[i] : '\n';

		if (c == '\\' && i + 1 < len && text[i + 1] == '\n') {
			i++; /* the line goes on */
			continue;
		}
		if (c != '\n') {
			line[n] = c ? c : ' ';
			n += n < sizeof(line) - 1;
			continue;
		}
		line[n] = '\0';
		take_line(line, &mode);
		n = 0;
	}
	return mode;
}

/* ---- who says it ---- */

struct conf {
	char path[PATH_MAX];
	const char *name; /* in path */
};

struct confs {
	struct conf **list;
	size_t count;
};

static void confs_free(struct confs *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->list[i]);
	free(c->list);
}

/* A file of an earlier folder hides those of its name in later ones. */
static bool hidden(const struct confs *c, const char *name)
{
	for (size_t i = 0; i < c->count; i++)
		if (!strcmp(c->list[i]->name, name))
			return true;
	return false;
}

static int add_conf(struct confs *c, const char *dir, const char *name)
{
	struct conf **grown = realloc(c->list, (c->count + 1) * sizeof(*grown)), *one;

	if (!grown)
		return -ENOMEM;
	c->list = grown;
	one = malloc(sizeof(*one));
	if (!one)
		return -ENOMEM;
	if (try_snprintf(one->path, sizeof(one->path), "%s/%s", dir, name)) {
		free(one);
		return -ENAMETOOLONG;
	}
	one->name = one->path + strlen(dir) + 1;
	c->list[c->count++] = one;
	return 0;
}

static int add_dir(struct confs *c, const char *dir)
{
	_cleanup_closedir_ DIR *d = opendir(dir);
	struct dirent *entry;
	size_t len;
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while (!r && (entry = readdir(d))) {
		len = strlen(entry->d_name);
		if (entry->d_name[0] == '.' || len < 5 || strcmp(entry->d_name + len - 5, ".conf") ||
		    hidden(c, entry->d_name))
			continue;
		r = add_conf(c, dir, entry->d_name);
	}
	return r;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp((*(struct conf *const *)a)->name, (*(struct conf *const *)b)->name);
}

static int find_confs(const char *dir, struct confs *c)
{
	static const char suffix[] = "/etc/modprobe.d";
	static const char *const others[] = { "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d",
					      "/lib/modprobe.d" };
	size_t len = strlen(dir), cut = sizeof(suffix) - 1;
	char path[PATH_MAX];
	int r = add_dir(c, dir);

	for (size_t i = 0; !r && len >= cut && !strcmp(dir + len - cut, suffix) && i < ARRAY_SIZE(others); i++) {
		r = try_snprintf(path, sizeof(path), "%.*s%s", (int)(len - cut), dir, others[i]);
		if (!r)
			r = add_dir(c, path);
	}
	if (!r && c->count)
		qsort(c->list, c->count, sizeof(*c->list), compare_names);
	return r;
}

static int read_all(const char *path, char **text, size_t *len)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	if (!file)
		return -errno;
	*text = malloc(FILE_MAX);
	if (!*text)
		return -ENOMEM;
	*len = fread(*text, 1, FILE_MAX, file);
	if (ferror(file))
		return -EIO;
	return *len == FILE_MAX ? -EFBIG : 0;
}

static void take(struct rdma_boot *boot, enum rdma_boot_mode said, const char *who)
{
	if (said == RDMA_BOOT_UNSET)
		return;
	boot->mode = said;
	snprintf(boot->by, sizeof(boot->by), "%s", who);
	if (said == RDMA_BOOT_SHARED && !boot->against[0])
		snprintf(boot->against, sizeof(boot->against), "%s", who);
}

/* Words of the form MODULE.OPTION[=VALUE]. */
static void take_cmdline(const char *path, struct rdma_boot *boot)
{
	enum rdma_boot_mode mode = RDMA_BOOT_UNSET;
	char line[LINE_BYTES], *rest = NULL, *word;

	if (read_line(path, line, sizeof(line)))
		return;
	for (word = strtok_r(line, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
		char *dot = strchr(word, '.');

		if (dot && same_name(word, MODULE, (size_t)(dot - word)))
			take_option(dot + 1, &mode);
	}
	take(boot, mode, "the kernel command line");
}

int rdma_boot_read(const char *dir, const char *cmdline, struct rdma_boot *boot, struct err *err)
{
	_cleanup_(confs_free) struct confs confs = {};
	int r = find_confs(dir, &confs);

	*boot = (struct rdma_boot){};
	if (r)
		return fail(err, r, "%s: %s", dir, strerror(-r));
	for (size_t i = 0; i < confs.count; i++) {
		_cleanup_free_ char *text = NULL;
		size_t len = 0;

		r = read_all(confs.list[i]->path, &text, &len);
		if (r == -ENOENT)
			continue; /* a link that leads nowhere; modprobe passes over it, too */
		if (r)
			return fail(err, r, "%s: %s", confs.list[i]->path, strerror(-r));
		take(boot, rdma_boot_parse(text, len), confs.list[i]->path);
	}
	take_cmdline(cmdline, boot);
	return 0;
}

/* ---- the warden's own file ---- */

static int write_whole(const char *path)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	ssize_t len = sizeof(own_text) - 1;

	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0644)) /* whatever the umask */
		return -errno;
	errno = EIO; /* of a short write */
	return write(fd, own_text, (size_t)len) != len || fsync(fd) ? -errno : 0;
}

/* A reader, and a reboot, finds the file whole or not at all. */
static int write_file(const char *dir, const char *path)
{
	_cleanup_close_ int folder = -1;
	char draft[PATH_MAX];
	int r = try_snprintf(draft, sizeof(draft), "%s/." RDMA_BOOT_FILE ".new", dir);

	if (r)
		return r;
	folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return -errno;
	unlink(draft); /* of a start that did not come to its end */
	r = write_whole(draft);
	if (!r && rename(draft, path))
		r = -errno;
	if (!r && fsync(folder))
		r = -errno;
	if (r)
		unlink(draft);
	return r;
}

int rdma_boot_install(const char *dir, const char *cmdline, struct rdma_boot *boot, struct err *err)
{
	char path[PATH_MAX];
	int r = rdma_boot_read(dir, cmdline, boot, err);

	if (r)
		return r;
	if (boot->against[0])
		return fail(err, -EEXIST,
			    "set_exclusive: %s says that ib_core starts with " OPTION "=1, shared: take that out%s",
			    boot->against,
			    boot->mode == RDMA_BOOT_EXCLUSIVE ? ", though another one overrides it for now"
							      : ", else the next boot is in shared mode");
	if (boot->mode == RDMA_BOOT_EXCLUSIVE)
		return 0;
	r = try_snprintf(path, sizeof(path), "%s/" RDMA_BOOT_FILE, dir);
	if (!r)
		r = write_file(dir, path);
	if (r)
		return fail(err, r, "set_exclusive: %s/" RDMA_BOOT_FILE " cannot be written: %s", dir, strerror(-r));
	r = rdma_boot_read(dir, cmdline, boot, err);
	return r ? r : 1;
}
