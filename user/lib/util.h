/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small things everybody needs. Cleanup idiom of the project: a resource is declared with its cleanup
 * attribute and an empty value (fd -1, pointer NULL), and handed over with take_fd() or take_ptr().
 */
#ifndef WARDEN_UTIL_H
#define WARDEN_UTIL_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _cleanup_close_ _cleanup_(util_close)
#define _cleanup_free_ _cleanup_(util_free)
#define _cleanup_fclose_ _cleanup_(util_fclose)
#define _cleanup_closedir_ _cleanup_(util_closedir)

void util_close(int *fd);
void util_free(void *ptr); /* takes the address of a pointer */
void util_fclose(FILE **file);
void util_closedir(DIR **dir);

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define take_ptr(p)                         \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

/* snprintf for which a cut result is an error: 0 or -ENAMETOOLONG. */
int try_snprintf(char *to, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The whole string as an unsigned number of the base in [min, max]: 0 or -EINVAL, -ERANGE. */
int parse_u64(const char *text, int base, uint64_t min, uint64_t max, uint64_t *value);

/* The first line of a small file without its newline: 0 or -errno. */
int read_line(const char *path, char *to, size_t size);

/* The last part of where a link leads, as those of sysfs; "" when it leads nowhere or does not fit. */
void read_link_name(const char *path, char *to, size_t size);

/*
 * All of a file, to be freed. Whatever lies there: a link is not followed, and a pipe that nobody writes to is not waited for.
 * -EBADMSG: it is no regular file, or has more than `max` bytes; else -errno.
 */
int read_regular(const char *path, size_t max, char **text, size_t *len);

/* Creates a folder (mode 0700) and its parents (mode 0755): 0 or -errno. An existing folder is fine. */
int make_dirs(const char *path);

/* An empty folder goes, others stay. In a container it may be a mount of one of the node's, which goes then. */
void remove_empty_dir(const char *path);

/* All of the bytes, whatever interrupts it: 0 or -errno. What was written before an error stays. */
int write_all(int fd, const void *bytes, size_t len);

/* Without this a new name in a folder may not outlive a crash of the machine: 0 or -errno. */
int sync_dir(const char *path);

/* CLOCK_BOOTTIME in ns, the clock of the events. */
uint64_t boot_ns(void);

/* CLOCK_REALTIME in ns: for people, and for what is told to other machines. */
uint64_t wall_ns(void);

void timespec_add(struct timespec *t, uint64_t ns);

/*
 * Device numbers: the kernel keeps major << 20 | minor (kdev_t.h), user space another form (makedev(3)).
 */
uint32_t dev_to_kernel(dev_t dev);
dev_t dev_from_kernel(uint32_t dev);

#endif
