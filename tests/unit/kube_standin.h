/* SPDX-License-Identifier: Apache-2.0 */
/* To be included once in a test program: runs tests/tools/kube-api.py, the Kubernetes API's stand-in, with answers of the test. */
#ifndef WARDEN_KUBE_STANDIN_H
#define WARDEN_KUBE_STANDIN_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/util.h"

struct standin {
	char dir[200];
	int pid;
	unsigned int port, answers;
};

static void standin_write(const struct standin *s, const char *name, const char *text)
{
	char path[300];
	_cleanup_fclose_ FILE *file = NULL;

	snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
}

/* What the next request that has no answer yet is answered with. */
static void standin_answer(struct standin *s, const char *steps)
{
	char name[32];

	snprintf(name, sizeof(name), "answer.%u", ++s->answers);
	standin_write(s, name, steps);
}

/* NAME.pem and NAME.key: a certificate for that IP address that is its own CA. */
static void make_certificate(const char *name, const char *address)
{
	char command[2048];

	snprintf(command, sizeof(command),
		 "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=%s "
		 "-addext subjectAltName=IP:%s -keyout '%s/%s.key' -out '%s/%s.pem' 2>/dev/null",
		 name, address, temp_dir(), name, temp_dir(), name);
	assert_int_equal(system(command), 0);
}

static void standin_start(struct standin *s, const char *certificate)
{
	static unsigned int count;
	char path[300], key[300], port[300], line[32];

	snprintf(s->dir, sizeof(s->dir), "%.150s/api.%u", temp_dir(), count++);
	assert_int_equal(mkdir(s->dir, 0700), 0);
	snprintf(path, sizeof(path), "%.200s/%s.pem", temp_dir(), certificate);
	snprintf(key, sizeof(key), "%.200s/%s.key", temp_dir(), certificate);
	s->pid = test_fork();
	if (!s->pid) {
		execl("tests/tools/kube-api.py", "kube-api.py", s->dir, path, key, NULL);
		_exit(127);
	}
	snprintf(port, sizeof(port), "%s/port", s->dir);
	while (read_line(port, line, sizeof(line))) {
		assert_int_equal(waitpid(s->pid, NULL, WNOHANG), 0);
		usleep(5000);
	}
	s->port = (unsigned int)atoi(line);
}

static void standin_stop(struct standin *s)
{
	if (!s->pid)
		return;
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
}

/* The n-th request from 1, "TARGET AUTHORIZATION", or "". Valid until the next call. */
static const char *standin_request(const struct standin *s, unsigned int n)
{
	static char line[8192];
	char path[300];
	_cleanup_fclose_ FILE *file = NULL;

	snprintf(path, sizeof(path), "%s/requests", s->dir);
	file = fopen(path, "re");
	for (unsigned int i = 0; i < n; i++)
		if (!file || !fgets(line, sizeof(line), file))
			return "";
	line[strcspn(line, "\n")] = '\0';
	return line;
}

#endif
