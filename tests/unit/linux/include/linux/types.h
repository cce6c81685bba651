/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/* The C library needs the real one. */
#include_next <linux/types.h>
#include <kunit/test.h>
