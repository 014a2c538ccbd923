// SPDX-License-Identifier: Apache-2.0
/* Requests of HTTP from any bytes, and the header by which the format of the page is chosen. */
#include "metrics/request.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/exposition.h"

#define HEAD_MAX 8192 /* as the server has it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request request;
	unsigned int status;
	char *head;

	if (size > HEAD_MAX)
		return 0;
	head = malloc(size + 1);
	if (!head)
		return 0;
	if (size)
		memcpy(head, data, size);
	request_is_whole(head, size);
	status = request_parse(head, size, &request);
	if (status ? !request.problem[0] || !answer_reason(status)[0] : request.problem[0] != '\0')
		abort();
	if (!status)
		exposition_accept(request.accept);
	free(head);
	return 0;
}
