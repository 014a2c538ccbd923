// Test code: stands for Spiderpool's agent (tests/common/spiderpool.h), as a process with a pool of addresses.
// SPDX-License-Identifier: Apache-2.0
/*
 * spiderpool-agent SOCKET FOLDER
 *
 * FOLDER/leases has a file for each address that is given, with its container and interface. FOLDER/requests gets the first
 * line and the body of each request. FOLDER/wishes, where it is there, has lines that say how requests are answered:
 *   health|post|delete STATUS plain|slow|hang|cut|huge [BODY]    STATUS 0: as the agent would
 *   conflicts                                                    addresses are to be probed before they are used
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/spiderpool.h"

#define POOL_FIRST 5
#define POOL_LAST 250

static const char *folder;

static void die(const char *what)
{
	fprintf(stderr, "spiderpool-agent: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- wishes ---- */

struct wishes {
	struct answers answers;
	bool conflicts;
	char text[16384]; /* holds the bodies */
};

static enum manner manner_of(const char *name)
{
	static const char *const names[] = { [MANNER_PLAIN] = "plain",
					     [MANNER_SLOW] = "slow",
					     [MANNER_HANG] = "hang",
					     [MANNER_CUT] = "cut",
					     [MANNER_HUGE] = "huge" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], name))
			return (enum manner)i;
	errno = EINVAL;
	die(name);
	return MANNER_PLAIN;
}

static void read_wish(struct wishes *w, char *line)
{
	char kind[16] = "", manner[16] = "";
	int status = 0, body = 0;
	struct answer *a;

	w->conflicts |= !strcmp(line, "conflicts");
	if (sscanf(line, "%15s %d %15s %n", kind, &status, manner, &body) < 3)
		return;
	a = !strcmp(kind, "health") ? &w->answers.health
	    : !strcmp(kind, "post") ? &w->answers.post
				    : &w->answers.delete;
	*a = (struct answer){ status, line[body] ? line + body : NULL, manner_of(manner) };
}

static void read_wishes(struct wishes *w)
{
	char path[PATH_MAX], *rest = w->text, *line;
	FILE *file;

	*w = (struct wishes){};
	snprintf(path, sizeof(path), "%s/wishes", folder);
	file = fopen(path, "re");
	if (!file)
		return;
	w->text[fread(w->text, 1, sizeof(w->text) - 1, file)] = '\0';
	fclose(file);
	while ((line = strsep(&rest, "\n")))
		read_wish(w, line);
}

/* ---- the pool ---- */

static void lease_path(unsigned int number, char to[PATH_MAX])
{
	snprintf(to, PATH_MAX, "%s/leases/10.7.0.%u", folder, number);
}

/* The address that the owner has: its last byte, or 0. */
static unsigned int lease_of(const char *owner)
{
	char path[PATH_MAX], line[512];

	for (unsigned int n = POOL_FIRST; n <= POOL_LAST; n++) {
		lease_path(n, path);
		if (!read_line(path, line, sizeof(line)) && !strcmp(line, owner))
			return n;
	}
	return 0;
}

static unsigned int lease_new(const char *owner)
{
	char path[PATH_MAX];
	int fd = -1;

	for (unsigned int n = POOL_FIRST; n <= POOL_LAST; n++) {
		lease_path(n, path);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0)
			continue;
		dprintf(fd, "%s\n", owner);
		close(fd);
		return n;
	}
	die("the pool is used up");
	return 0;
}

/* ---- requests ---- */

static void owner_of(const cJSON *json, char *to, size_t size)
{
	snprintf(to, size, "%s:%s", cJSON_GetObjectItemCaseSensitive(json, "containerID")->valuestring,
		 cJSON_GetObjectItemCaseSensitive(json, "ifName")->valuestring);
}

/* What the agent does before it answers. A later ADD of the same interface gets what it has. */
static void serve_right(const struct wishes *w, const char *request, struct answer *answer)
{
	_cleanup_(json_free) cJSON *json = cJSON_Parse(strstr(request, "\r\n\r\n") + 4);
	char owner[512], path[PATH_MAX];
	unsigned int number;

	if (!strncmp(request, "GET", 3))
		return;
	owner_of(json, owner, sizeof(owner));
	number = lease_of(owner);
	if (!strncmp(request, "POST", 4)) {
		number = number ? number : lease_new(owner);
		if (!w->answers.post.body)
			answer->body = standin_ips(cJSON_GetObjectItemCaseSensitive(json, "ifName")->valuestring,
						   number, w->conflicts);
		return;
	}
	lease_path(number, path);
	if (number && unlink(path))
		die(path);
}

static void note(const char *request)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/requests", folder);
	file = fopen(path, "ae");
	if (!file)
		die(path);
	fprintf(file, "%.*s %s\n", (int)strcspn(request, "\r"), request, strstr(request, "\r\n\r\n") + 4);
	fclose(file);
}

static void serve(int fd)
{
	_cleanup_free_ char *request = standin_read(fd);
	struct answer answer;
	struct wishes wishes;

	if (!strstr(request, "\r\n\r\n"))
		return;
	note(request);
	read_wishes(&wishes);
	answer = standin_choose(&wishes.answers, request);
	if (answer.status == 200)
		serve_right(&wishes, request, &answer);
	standin_answer(fd, &answer);
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char path[PATH_MAX];
	int listener, fd;

	if (argc != 3 || strlen(argv[1]) >= sizeof(addr.sun_path)) {
		fputs("usage: spiderpool-agent SOCKET FOLDER\n", stderr);
		return 2;
	}
	folder = argv[2];
	snprintf(path, sizeof(path), "%s/leases", folder);
	if (mkdir(path, 0700) && errno != EEXIST)
		die(path);
	strcpy(addr.sun_path, argv[1]);
	unlink(argv[1]); /* as the agent does with a stale one */
	signal(SIGCHLD, SIG_IGN);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&addr, sizeof(addr)) || listen(listener, 64))
		die(argv[1]);
	/* A connection that hangs does not keep others waiting. */
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		if (!fork()) {
			serve(fd);
			_exit(0);
		}
		close(fd);
	}
	die("accept");
}
