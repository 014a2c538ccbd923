// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The programs of pods.bpf.c, to be attached and not. */
#include "pods.bpf.c"
