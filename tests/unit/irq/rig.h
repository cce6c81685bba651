/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Domains and chips made of memory, which write down what is called, for the tests of src/irq.
 */
#ifndef ONTB_TESTS_IRQ_RIG_H
#define ONTB_TESTS_IRQ_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openntb/irq.h>
#include <openntb/worker.h>

#define RIG_NR_CPUS  4U
#define RIG_MAX_IRQS 1000U

/**
 * struct rig_domain - a domain whose callbacks are written down
 * @domain:      The domain.
 * @tag:         Its name in the record.
 * @chip:        Its chip; a test takes operations out before it allocates.
 * @flow:        Said by alloc(); -1 says nothing.
 * @base:        Hardware number of interrupt n is @base + n, unless alloc() is given a number as its argument.
 * @alloc_ret:   What alloc() returns after it has allocated in the parent and undone it.
 * @forgets:     alloc() does not say what the interrupts are.
 * @activate_ret, @write_ret, @affinity_ret, @type_ret, @compose_ret: What these return.
 * @retriggers:  What retrigger() returns.
 * @cpu:         Where interrupts go: chosen by activate() of a root, and by set_affinity().
 * @msg:         What write_msg() got last.
 * @has_msg:     It was a message.
 * @next:        For the rig.
 */
struct rig_domain {
	struct ontb_irq_domain *domain;
	const char *tag;
	struct ontb_irq_chip chip;
	int flow;
	uint64_t base;
	int alloc_ret;
	bool forgets;
	int activate_ret, write_ret, affinity_ret, type_ret, compose_ret;
	bool retriggers;
	unsigned int cpu;
	struct ontb_msi_msg msg;
	bool has_msg;
	struct rig_domain *next;
};

enum rig_workers {
	RIG_NO_WORKERS,
	RIG_THREADS,
	RIG_STEPPED
};

/* The system under test. */
extern struct ontb_irq_system *rig_sys;
extern struct ontb_worker_pool *rig_pool;

/* Make a system of RIG_NR_CPUS CPUs. */
void rig_new(enum rig_workers workers);
/* Free it with all domains; they have no interrupts any more. */
void rig_free(void);
/* Operations of its domains. */
const struct ontb_irq_domain_ops *rig_ops(void);
/* Add a domain; a @size of 0 makes it sparse. */
struct rig_domain *rig_add(const char *tag, struct rig_domain *parent, unsigned int size);
/* Allocate one interrupt, or fail the test. */
unsigned int rig_alloc(struct rig_domain *domain);
/* Release one interrupt, or fail the test. */
void rig_release(struct rig_domain *domain, unsigned int virq);
/* What was called since the last time, such as "root.activate outer.write ". */
const char *rig_calls(void);
/* Write nothing down from now on, for tests with threads. */
void rig_be_quiet(void);
/* Raise an interrupt on a CPU by its hardware number in a domain. */
int rig_raise(struct rig_domain *domain, unsigned int virq, unsigned int cpu);
/* Install a handler, or fail the test. */
void rig_request(unsigned int virq, ontb_irq_handler *handler, void *dev);

#endif
