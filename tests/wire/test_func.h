/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A small PCI function for tests of the wire: memory and a few registers in BAR0, a window into another host in BAR2.
 *
 * BAR0: bytes 0..0x7fff are memory. Behind them, registers of 8 bytes, accessed whole:
 */
#ifndef ONTB_TESTS_WIRE_TEST_FUNC_H
#define ONTB_TESTS_WIRE_TEST_FUNC_H

#include <openntb/access.h>

#include "base/brlock.h"

#define TEST_BAR0_SIZE	  0x10000U
#define TEST_BAR0_MEMORY  0x8000U
#define TEST_BAR2_SIZE	  (1U << 24)
#define TEST_CONFIG_SIZE  4096U
#define TEST_MAX_FUNCS	  8U
#define TEST_REG_ADDR	  0x8000U /* where the window leads: address in the target host */
#define TEST_REG_TARGET	  0x8008U /* port of the target host */
#define TEST_REG_RAISE	  0x8010U /* write v: raise the target's vector v */
#define TEST_REG_CLEAR	  0x8018U /* write: forget the target's latched vectors */
#define TEST_REG_PENDING  0x8020U /* read: own latched vectors as bits */
#define TEST_REG_ERROR	  0x8028U /* read: what the last write through the window returned, negated */
#define TEST_REG_ERRORS	  0x8030U /* read: how many writes through the window failed */
#define TEST_REG_WRITES	  0x8038U /* read: writes to BARs so far */
#define TEST_REG_ATTACHED 0x8040U /* read: ports attached, as bits */
#define TEST_REG_RESETS	  0x8048U /* read: resets of this function */
#define TEST_REG_REFUSE	  0x8050U /* write, read: refused with -ERANGE */

struct test_bridge;

/**
 * test_bridge_new() - make functions
 * @nr_funcs:   How many, 1..TEST_MAX_FUNCS.
 * @nr_vectors: Vectors of each.
 * @out:        OUT.
 *
 * Return: 0 or -ENOMEM.
 */
int test_bridge_new(unsigned int nr_funcs, unsigned int nr_vectors, struct test_bridge **out);

/**
 * test_bridge_func() - one of them
 * @bridge: Bridge.
 * @idx:    Which.
 *
 * Return: The function.
 */
struct ontb_func *test_bridge_func(struct test_bridge *bridge, unsigned int idx);

/**
 * test_bridge_free() - free
 * @bridge: Bridge or NULL; no host is attached.
 */
void test_bridge_free(struct test_bridge *bridge);

#endif
