/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * As much of KUnit, and of the kernel's basic types, as tests need that touch no device: so they run in "make check" too, and
 * below sanitizers. Prints TAP.
 */
#ifndef KUNIT_TEST_H
#define KUNIT_TEST_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint16_t u16;
typedef int32_t s32;
typedef uint32_t u32;
typedef uint64_t u64;
typedef struct {
	long long counter;
} atomic64_t;
typedef u64 resource_size_t;
typedef int (*irq_handler_t)(int irq, void *arg);
struct ntb_dev;
#define U32_MAX UINT32_MAX
#define __iomem
#define GFP_KERNEL 0

/**
 * struct kunit - a test that runs
 * @priv:   The test's own.
 * @mem:    What kunit_kzalloc() gave; one is enough here.
 * @nr_bad: Expectations that did not hold.
 */
struct kunit {
	void *priv;
	void *mem;
	unsigned int nr_bad;
};

static inline void *kunit_kzalloc(struct kunit *test, size_t size, int flags)
{
	(void)flags;
	if (test->mem)
		abort();
	test->mem = calloc(1, size);
	return test->mem;
}

static inline bool kunit_check(struct kunit *test, bool good, const char *what, const char *file, int line)
{
	if (good)
		return true;
	printf("# %s:%d: %s\n", file, line, what);
	test->nr_bad++;
	return false;
}

#define KUNIT_CHECK(test, cond)	       ((void)kunit_check(test, cond, #cond, __FILE__, __LINE__))
#define KUNIT_EXPECT_EQ(test, a, b)    KUNIT_CHECK(test, (a) == (b))
#define KUNIT_EXPECT_GT(test, a, b)    KUNIT_CHECK(test, (a) > (b))
#define KUNIT_EXPECT_TRUE(test, cond)  KUNIT_CHECK(test, cond)
#define KUNIT_EXPECT_FALSE(test, cond) KUNIT_CHECK(test, !(cond))
/* KUnit ends the test; here the whole run ends, without a plan that is kept. */
#define KUNIT_ASSERT_EQ(test, a, b)                                                                                    \
	do {                                                                                                           \
		if (!kunit_check(test, (a) == (b), #a " == " #b, __FILE__, __LINE__))                                  \
			exit(1);                                                                                       \
	} while (0)

struct kunit_case {
	void (*run)(struct kunit *test);
	const char *name;
};

struct kunit_suite {
	const char *name;
	int (*init)(struct kunit *test);
	const struct kunit_case *test_cases;
};

#define KUNIT_CASE(function)                                                                                           \
	{                                                                                                              \
		function, #function                                                                                    \
	}

static inline int kunit_run(const struct kunit_suite *suite)
{
	const struct kunit_case *one;
	unsigned int nr = 0, nr_bad = 0;

	for (one = suite->test_cases; one->run; one++)
		nr++;
	printf("TAP version 13\n1..%u\n", nr);
	nr = 0;
	for (one = suite->test_cases; one->run; one++) {
		struct kunit test = { 0 };

		if (suite->init(&test))
			test.nr_bad++;
		else
			one->run(&test);
		free(test.mem);
		printf("%s %u - %s\n", test.nr_bad ? "not ok" : "ok", ++nr, one->name);
		nr_bad += test.nr_bad;
	}
	return nr_bad != 0;
}

#define kunit_test_suites(suite)                                                                                       \
	int main(void)                                                                                                 \
	{                                                                                                              \
		return kunit_run(suite);                                                                               \
	}                                                                                                              \
	extern const int kunit_end

#define MODULE_DESCRIPTION(text) extern const int kunit_end
#define MODULE_LICENSE(text)	 extern const int kunit_end

/* Not the kernel's numbers, but others each time as well. */
struct rnd_state {
	u64 word;
};

static inline void prandom_seed_state(struct rnd_state *state, u64 seed)
{
	state->word = seed * 0x9e3779b97f4a7c15ULL;
}

static inline u32 prandom_u32_state(struct rnd_state *state)
{
	state->word ^= state->word << 13;
	state->word ^= state->word >> 7;
	state->word ^= state->word << 17;
	return (u32)(state->word >> 16);
}

#endif
