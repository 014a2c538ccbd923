/* SPDX-License-Identifier: Apache-2.0 */
/* A descriptor over a unix socket (SCM_RIGHTS). */
#ifndef UVERBS_PASS_H
#define UVERBS_PASS_H

/* 0 or -errno. */
int send_fd(int sock, int fd);

/*
 * The descriptor or -errno. One that a security module withholds is missing from the message, and no errno tells of
 * it: -ENOMSG.
 */
int receive_fd(int sock);

#endif
