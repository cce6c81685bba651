// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Log lines, their levels and their rate; and the meaning of error values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <openntb/error.h>

#include "base/clock.h"
#include "base/log.h"

#define BURST 10

static unsigned int nr_lines;
static enum ontb_log_level last_level;
static char last_line[1024];

static void sink(void *arg, enum ontb_log_level level, const char *line)
{
	assert_ptr_equal(arg, last_line);
	nr_lines++;
	last_level = level;
	(void)snprintf(last_line, sizeof(last_line), "%s", line);
}

static int setup(void **state)
{
	(void)state;
	nr_lines = 0;
	last_line[0] = 0;
	ontb_log_set_level(ONTB_LOG_NOTICE);
	ontb_log_set_sink(sink, last_line);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ontb_log_set_level(ONTB_LOG_NOTICE);
	ontb_log_set_sink(NULL, NULL);
	return 0;
}

static void level_decides_what_is_written(void **state)
{
	(void)state;
	ontb_log(ONTB_LOG_INFO, "no");
	assert_int_equal(nr_lines, 0);
	ontb_log(ONTB_LOG_NOTICE, "port %u: %s", 3, "yes");
	assert_int_equal(nr_lines, 1);
	assert_string_equal(last_line, "port 3: yes");
	assert_int_equal(last_level, ONTB_LOG_NOTICE);
	ontb_log_set_level(ONTB_LOG_DEBUG);
	ontb_log(ONTB_LOG_DEBUG, "now");
	assert_int_equal(nr_lines, 2);
	ontb_log_set_level(ONTB_LOG_ERROR);
	ontb_log(ONTB_LOG_WARNING, "no");
	assert_int_equal(nr_lines, 2);
}

static void long_lines_are_cut_not_overrun(void **state)
{
	char text[2000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	ontb_log(ONTB_LOG_ERROR, "%s", text);
	assert_int_equal(nr_lines, 1);
	assert_int_equal(strlen(last_line), 511);
}

static void flood_is_limited_and_its_size_is_told(void **state)
{
	struct ontb_ratelimit limit = { 0 };

	(void)state;
	/* The interval is kept young, so that all of the flood falls into one also on a slow machine. */
	for (unsigned int i = 0; i < 1000; i++) {
		ontb_log_limited(&limit, ONTB_LOG_NOTICE, "flood %u", i);
		atomic_store(&limit.window_start_ns, ontb_clock_ns());
	}
	assert_int_equal(nr_lines, BURST);
	assert_string_equal(last_line, "flood 9");
	atomic_store(&limit.window_start_ns, ontb_clock_ns() - 2 * ONTB_NS_PER_S);
	ontb_log_limited(&limit, ONTB_LOG_NOTICE, "next");
	assert_int_equal(nr_lines, BURST + 1);
	assert_string_equal(last_line, "next (990 more like this were left out)");
	ontb_log_limited(&limit, ONTB_LOG_NOTICE, "quiet");
	assert_string_equal(last_line, "quiet");
}

static void lines_below_the_level_do_not_use_up_the_limit(void **state)
{
	struct ontb_ratelimit limit = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 100; i++)
		ontb_log_limited(&limit, ONTB_LOG_DEBUG, "no");
	ontb_log_limited(&limit, ONTB_LOG_NOTICE, "yes");
	assert_int_equal(nr_lines, 1);
	assert_string_equal(last_line, "yes");
}

static void errors_have_one_meaning_each(void **state)
{
	static const int errs[] = { EINVAL,  ERANGE,	  EPROTO,    EMSGSIZE, EOPNOTSUPP, ENOLINK, EACCES, EFAULT,
				    EDEADLK, EINPROGRESS, ETIMEDOUT, ENOBUFS,  EBUSY,	   ENOSPC,  ENOMEM };

	(void)state;
	assert_string_equal(ontb_strerror(0), "success");
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(errs); i++) {
		assert_string_equal(ontb_strerror(-errs[i]), ontb_strerror(errs[i]));
		assert_string_not_equal(ontb_strerror(errs[i]), "unknown error");
		for (unsigned int k = 0; k < i; k++)
			assert_string_not_equal(ontb_strerror(errs[i]), ontb_strerror(errs[k]));
	}
	assert_string_equal(ontb_strerror(-EISDIR), "Is a directory");
	assert_string_equal(ontb_strerror(-100000), "unknown error");
	assert_string_equal(ontb_strerror(INT_MIN), "unknown error");
	assert_string_equal(ontb_strerror(INT_MAX), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(level_decides_what_is_written, setup, teardown),
		cmocka_unit_test_setup_teardown(long_lines_are_cut_not_overrun, setup, teardown),
		cmocka_unit_test_setup_teardown(flood_is_limited_and_its_size_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(lines_below_the_level_do_not_use_up_the_limit, setup, teardown),
		cmocka_unit_test(errors_have_one_meaning_each),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
