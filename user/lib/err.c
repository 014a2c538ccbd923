// SPDX-License-Identifier: Apache-2.0
#include "lib/err.h"

#include <stdarg.h>
#include <stdio.h>

int fail(struct err *e, int code, const char *fmt, ...)
{
	va_list args;

	if (!e)
		return code;
	va_start(args, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, args);
	va_end(args);
	return code;
}
