// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Handlers: who may share, what disabling and enabling promise, threads, interrupts that nobody wants.
 */
#include "rig.h"

#include <openntb/log.h>

static struct rig_domain *root, *outer;
static unsigned int virq;
static atomic_uint nr_handled, nr_threads;
static char lines[1024];

static void keep_line(void *arg, enum ontb_log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)strncat(lines, line, sizeof(lines) - strlen(lines) - 1);
}

static void start(enum rig_workers workers)
{
	rig_new(workers);
	root = rig_add("root", NULL, 0);
	outer = rig_add("outer", root, 0);
	outer->flow = ONTB_IRQ_EDGE;
	virq = rig_alloc(outer);
	(void)rig_calls();
	nr_handled = nr_threads = 0;
	lines[0] = '\0';
	ontb_log_set_sink(keep_line, NULL);
}

static int setup(void **state)
{
	(void)state;
	start(RIG_NO_WORKERS);
	return 0;
}

static int setup_threads(void **state)
{
	(void)state;
	start(RIG_THREADS);
	return 0;
}

static int setup_stepped(void **state)
{
	(void)state;
	start(RIG_STEPPED);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ontb_log_set_sink(NULL, NULL);
	rig_release(outer, virq);
	rig_free();
	return 0;
}

static enum ontb_irq_return handle(unsigned int number, void *dev)
{
	(void)number;
	(void)dev;
	nr_handled++;
	return ONTB_IRQ_HANDLED;
}

static enum ontb_irq_return ignore(unsigned int number, void *dev)
{
	(void)number;
	(void)dev;
	nr_handled++;
	return ONTB_IRQ_NONE;
}

static enum ontb_irq_return wake(unsigned int number, void *dev)
{
	(void)number;
	(void)dev;
	nr_handled++;
	return ONTB_IRQ_WAKE;
}

static enum ontb_irq_return thread(unsigned int number, void *dev)
{
	(void)number;
	(void)dev;
	nr_threads++;
	return ONTB_IRQ_HANDLED;
}

static void raise(void)
{
	assert_int_equal(rig_raise(outer, virq, 0), 0);
}

static int request(ontb_irq_handler *handler, ontb_irq_handler *threaded, void *dev, unsigned int flags)
{
	const struct ontb_irq_request req = {
		.handler = handler, .thread = threaded, .dev = dev, .name = "eth0", .flags = flags
	};

	return ontb_irq_request(rig_sys, virq, &req);
}

static void request_refuses_what_makes_no_sense(void **state)
{
	struct ontb_irq_request req = { .handler = handle, .name = NULL };

	(void)state;
	assert_int_equal(request(NULL, NULL, &virq, 0), -EINVAL);
	assert_int_equal(request(handle, NULL, NULL, ONTB_IRQ_SHARED), -EINVAL);
	assert_int_equal(request(handle, thread, &virq, 0), -EINVAL); /* no workers */
	assert_int_equal(request(handle, NULL, &virq, ONTB_IRQ_ONESHOT), -EINVAL);
	assert_int_equal(ontb_irq_request(rig_sys, virq, &req), -EINVAL);
	req.name = "x";
	assert_int_equal(ontb_irq_request(rig_sys, virq + 1, &req), -ENOENT);
	assert_int_equal(ontb_irq_request(rig_sys, 0, &req), -ENOENT);
	assert_int_equal(ontb_irq_free(rig_sys, virq, NULL), -ENOENT);
	assert_int_equal(ontb_irq_free(rig_sys, virq + 1, NULL), -ENOENT);
	assert_false(ontb_irq_is_requested(rig_sys, virq));
	assert_false(ontb_irq_is_requested(rig_sys, virq + 1));
	assert_string_equal(rig_calls(), "");
}

static void handlers_share_only_if_all_agree(void **state)
{
	int a, b, c;
	struct ontb_irq_request level = {
		.handler = handle, .dev = &c, .name = "c", .flags = ONTB_IRQ_SHARED, .trigger = ONTB_IRQ_TRIGGER_LEVEL
	};

	(void)state;
	assert_int_equal(request(handle, NULL, &a, 0), 0);
	assert_int_equal(request(handle, NULL, &b, 0), -EBUSY);
	assert_int_equal(request(handle, NULL, &b, ONTB_IRQ_SHARED), -EBUSY);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &a), 0);

	assert_int_equal(request(handle, NULL, &a, ONTB_IRQ_SHARED), 0);
	(void)rig_calls();
	assert_int_equal(request(handle, NULL, &b, 0), -EBUSY);
	assert_int_equal(request(handle, NULL, &a, ONTB_IRQ_SHARED), -EBUSY); /* this device has one */
	assert_int_equal(ontb_irq_request(rig_sys, virq, &level), -EBUSY);
	assert_int_equal(request(handle, NULL, &b, ONTB_IRQ_SHARED), 0);
	assert_string_equal(rig_calls(), ""); /* it is up already */
	raise();
	assert_int_equal(nr_handled, 2);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &a), 0);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &a), -ENOENT);
	assert_string_equal(rig_calls(), "root.ack ");
	raise();
	assert_int_equal(nr_handled, 3);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &b), 0);

	assert_int_equal(ontb_irq_request(rig_sys, virq, &level), 0);
	assert_int_equal(request(handle, NULL, &a, ONTB_IRQ_SHARED), 0); /* nothing said about the trigger */
	assert_int_equal(ontb_irq_free(rig_sys, virq, &a), 0);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &c), 0);
}

static void more_handlers_than_anybody_needs_are_refused(void **state)
{
	static char devs[1025];

	(void)state;
	for (unsigned int i = 0; i < 1024; i++)
		assert_int_equal(request(handle, NULL, &devs[i], ONTB_IRQ_SHARED), 0);
	assert_int_equal(request(handle, NULL, &devs[1024], ONTB_IRQ_SHARED), -ENOSPC);
	raise();
	assert_int_equal(nr_handled, 1024);
	for (unsigned int i = 0; i < 1024; i++)
		assert_int_equal(ontb_irq_free(rig_sys, virq, &devs[i]), 0);
}

static void trigger_is_chosen_by_a_chip_that_can(void **state)
{
	struct ontb_irq_request req = {
		.handler = handle, .dev = &virq, .name = "x", .trigger = ONTB_IRQ_TRIGGER_LEVEL
	};

	(void)state;
	root->type_ret = -EINVAL;
	assert_int_equal(ontb_irq_request(rig_sys, virq, &req), -EINVAL);
	assert_string_equal(rig_calls(), "root.level ");
	assert_false(ontb_irq_is_requested(rig_sys, virq));
	root->type_ret = 0;
	assert_int_equal(ontb_irq_request(rig_sys, virq, &req), 0);
	assert_string_equal(rig_calls(), "root.level root.activate outer.activate outer.write outer.unmask ");
	assert_int_equal(ontb_irq_free(rig_sys, virq, &virq), 0);
	(void)rig_calls();
	req.trigger = ONTB_IRQ_TRIGGER_NONE; /* keeps what is set */
	assert_int_equal(ontb_irq_request(rig_sys, virq, &req), 0);
	assert_string_equal(rig_calls(), "root.activate outer.activate outer.write outer.unmask ");
	assert_int_equal(ontb_irq_free(rig_sys, virq, &virq), 0);
	/* What was set before comes back if the hardware cannot be activated. */
	(void)rig_calls();
	req.trigger = ONTB_IRQ_TRIGGER_EDGE;
	outer->activate_ret = -ENOSPC;
	assert_int_equal(ontb_irq_request(rig_sys, virq, &req), -ENOSPC);
	assert_string_equal(rig_calls(), "root.edge root.activate outer.activate root.deactivate root.level ");
	outer->activate_ret = 0;
}

static void domain_may_stay_active(void **state)
{
	struct ontb_irq_domain_config config = {
		.name = "stays", .parent = root->domain, .ops = rig_ops(), .flags = ONTB_IRQ_DOMAIN_STAY_ACTIVE
	};
	struct rig_domain stays = { .tag = "stays", .flow = ONTB_IRQ_EDGE, .chip = { .name = "stays" } };
	const struct ontb_irq_request req = { .handler = handle, .dev = &virq, .name = "x" };
	unsigned int number;

	(void)state;
	config.data = &stays;
	assert_int_equal(ontb_irq_domain_new(rig_sys, &config, &stays.domain), 0);
	number = rig_alloc(&stays);
	(void)rig_calls();
	assert_int_equal(ontb_irq_activate(rig_sys, number), 0);
	assert_string_equal(rig_calls(), "root.activate stays.activate root.write ");
	assert_int_equal(ontb_irq_request(rig_sys, number, &req), 0);
	assert_int_equal(ontb_irq_deactivate(rig_sys, number), -EBUSY);
	assert_int_equal(ontb_irq_free(rig_sys, number, &virq), 0);
	assert_string_equal(rig_calls(), "root.unmask root.mask ");
	rig_release(&stays, number);
	assert_string_equal(rig_calls(), "root.withdraw stays.deactivate root.deactivate stays.free root.free ");
	assert_int_equal(ontb_irq_domain_free(stays.domain), 0);
}

static void disable_nests(void **state)
{
	(void)state;
	assert_int_equal(request(handle, NULL, &virq, 0), 0);
	assert_int_equal(ontb_irq_enable(rig_sys, virq), -EINVAL);
	assert_int_equal(ontb_irq_disable(rig_sys, virq), 0);
	assert_int_equal(ontb_irq_disable_nosync(rig_sys, virq), 0);
	raise();
	assert_int_equal(ontb_irq_enable(rig_sys, virq), 0);
	assert_int_equal(nr_handled, 0);
	assert_int_equal(ontb_irq_enable(rig_sys, virq), 0);
	assert_int_equal(nr_handled, 1);
	assert_int_equal(ontb_irq_enable(rig_sys, virq), -EINVAL);
	for (unsigned int i = 0; i < 65535; i++)
		assert_int_equal(ontb_irq_disable_nosync(rig_sys, virq), 0);
	assert_int_equal(ontb_irq_disable_nosync(rig_sys, virq), -EOVERFLOW);
	assert_int_equal(ontb_irq_disable(rig_sys, virq), -EOVERFLOW);
	for (unsigned int i = 0; i < 65535; i++)
		assert_int_equal(ontb_irq_enable(rig_sys, virq), 0);
	raise();
	assert_int_equal(nr_handled, 2);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &virq), 0);
	assert_int_equal(ontb_irq_disable(rig_sys, virq + 1), -ENOENT);
	assert_int_equal(ontb_irq_disable_nosync(rig_sys, virq + 1), -ENOENT);
	assert_int_equal(ontb_irq_enable(rig_sys, virq + 1), -ENOENT);
	assert_int_equal(ontb_irq_synchronize(rig_sys, virq + 1), -ENOENT);
}

static void interrupt_may_be_requested_disabled(void **state)
{
	(void)state;
	assert_int_equal(request(handle, NULL, &virq, ONTB_IRQ_NO_ENABLE), 0);
	assert_string_equal(rig_calls(), "root.activate outer.activate outer.write ");
	raise();
	assert_int_equal(nr_handled, 0);
	assert_int_equal(ontb_irq_enable(rig_sys, virq), 0);
	assert_int_equal(nr_handled, 1);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &virq), 0);
}

static void what_the_last_handler_missed_is_not_the_next_ones(void **state)
{
	(void)state;
	assert_int_equal(request(handle, NULL, &virq, 0), 0);
	assert_int_equal(ontb_irq_disable(rig_sys, virq), 0);
	raise();
	assert_int_equal(ontb_irq_free(rig_sys, virq, &virq), 0);
	assert_int_equal(request(handle, NULL, &virq, 0), 0); /* and the disable is forgotten */
	assert_int_equal(nr_handled, 0);
	raise();
	assert_int_equal(nr_handled, 1);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &virq), 0);
}

static void missed_edge_is_raised_again_by_a_chip_that_can(void **state)
{
	(void)state;
	root->retriggers = true;
	assert_int_equal(request(handle, NULL, &virq, 0), 0);
	assert_int_equal(ontb_irq_disable(rig_sys, virq), 0);
	raise();
	(void)rig_calls();
	assert_int_equal(ontb_irq_enable(rig_sys, virq), 0);
	assert_string_equal(rig_calls(), "outer.unmask ");
	assert_int_equal(nr_handled, 0); /* the worker does it */
	while (ontb_worker_pool_step(rig_pool))
		;
	assert_string_equal(rig_calls(), "root.retrigger ");
	assert_int_equal(nr_handled, 0); /* the chip does it */
	raise();
	assert_int_equal(nr_handled, 1);
	while (ontb_worker_pool_step(rig_pool))
		;
	assert_int_equal(nr_handled, 1);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &virq), 0);
}

/* Once the chip has it, it is the chip's: who is disabled and enabled meanwhile has missed nothing more. */
static void missed_edge_is_raised_again_once(void **state)
{
	(void)state;
	root->retriggers = true;
	assert_int_equal(request(handle, NULL, &virq, 0), 0);
	assert_int_equal(ontb_irq_disable(rig_sys, virq), 0);
	raise();
	assert_int_equal(ontb_irq_enable(rig_sys, virq), 0);
	(void)rig_calls();
	while (ontb_worker_pool_step(rig_pool))
		;
	assert_string_equal(rig_calls(), "root.retrigger ");
	assert_int_equal(ontb_irq_disable(rig_sys, virq), 0);
	assert_int_equal(ontb_irq_enable(rig_sys, virq), 0);
	while (ontb_worker_pool_step(rig_pool))
		;
	assert_string_equal(rig_calls(), "");
	/* It arrives while disabled: then it is missed once more, and raised once more. */
	assert_int_equal(ontb_irq_disable(rig_sys, virq), 0);
	raise();
	assert_int_equal(ontb_irq_enable(rig_sys, virq), 0);
	(void)rig_calls();
	while (ontb_worker_pool_step(rig_pool))
		;
	assert_string_equal(rig_calls(), "root.retrigger ");
	raise();
	assert_int_equal(nr_handled, 1);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &virq), 0);
}

static void missed_edge_is_handled_by_a_worker_otherwise(void **state)
{
	(void)state;
	assert_int_equal(request(handle, NULL, &virq, 0), 0);
	assert_int_equal(ontb_irq_disable(rig_sys, virq), 0);
	raise();
	(void)rig_calls();
	assert_int_equal(ontb_irq_enable(rig_sys, virq), 0);
	assert_int_equal(nr_handled, 0);
	while (ontb_worker_pool_step(rig_pool))
		;
	assert_string_equal(rig_calls(), "outer.unmask root.retrigger ");
	assert_int_equal(nr_handled, 1);
	/* An event that comes before the worker takes what was missed with it. */
	assert_int_equal(ontb_irq_disable(rig_sys, virq), 0);
	raise();
	assert_int_equal(ontb_irq_enable(rig_sys, virq), 0);
	raise();
	assert_int_equal(nr_handled, 2);
	while (ontb_worker_pool_step(rig_pool))
		;
	assert_int_equal(nr_handled, 2);
	/* And it can be freed and released while the worker has not come to it. */
	assert_int_equal(ontb_irq_disable(rig_sys, virq), 0);
	raise();
	assert_int_equal(ontb_irq_enable(rig_sys, virq), 0);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &virq), 0);
	rig_release(outer, virq);
	virq = rig_alloc(outer);
}

static void thread_runs_when_its_handler_says_so(void **state)
{
	int other;

	(void)state;
	assert_int_equal(request(wake, thread, &virq, ONTB_IRQ_SHARED), 0);
	assert_int_equal(request(NULL, thread, &other, ONTB_IRQ_SHARED), 0); /* always wakes */
	raise();
	raise();
	assert_int_equal(nr_threads, 0);
	assert_int_equal(ontb_irq_synchronize(rig_sys, virq), 0); /* steps the pool */
	assert_int_equal(nr_threads, 2);			  /* two wakes before it ran are one run */
	raise();
	assert_int_equal(ontb_irq_disable(rig_sys, virq), 0);
	assert_int_equal(nr_threads, 4);
	assert_int_equal(ontb_irq_enable(rig_sys, virq), 0);
	raise();
	assert_int_equal(ontb_irq_free(rig_sys, virq, &virq), 0); /* its thread never runs */
	assert_int_equal(ontb_irq_synchronize(rig_sys, virq), 0);
	assert_int_equal(nr_threads, 5);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &other), 0);
}

static void oneshot_interrupt_is_masked_until_its_thread_is_done(void **state)
{
	int other;

	(void)state;
	assert_int_equal(request(wake, thread, &virq, ONTB_IRQ_SHARED | ONTB_IRQ_ONESHOT), 0);
	assert_int_equal(request(wake, thread, &other, ONTB_IRQ_SHARED), -EBUSY);
	assert_int_equal(request(wake, thread, &other, ONTB_IRQ_SHARED | ONTB_IRQ_ONESHOT), 0);
	(void)rig_calls();
	raise();
	assert_string_equal(rig_calls(), "root.ack outer.mask ");
	raise(); /* a straggler */
	assert_int_equal(nr_handled, 2);
	assert_true(ontb_worker_pool_step(rig_pool));
	(void)rig_calls();
	assert_int_equal(nr_threads, 1);
	assert_int_equal(nr_handled, 2);
	assert_true(ontb_worker_pool_step(rig_pool));
	assert_int_equal(nr_threads, 2);
	assert_string_equal(rig_calls(), "outer.unmask ");
	assert_true(ontb_worker_pool_step(rig_pool)); /* the straggler */
	assert_string_equal(rig_calls(), "root.retrigger outer.mask ");
	assert_int_equal(nr_handled, 4);
	/* Freeing a handler whose thread never ran lets the interrupt go on. */
	assert_int_equal(ontb_irq_free(rig_sys, virq, &other), 0);
	assert_string_equal(rig_calls(), "");
	assert_int_equal(ontb_irq_synchronize(rig_sys, virq), 0);
	assert_string_equal(rig_calls(), "outer.unmask ");
	assert_int_equal(ontb_irq_free(rig_sys, virq, &virq), 0);
}

static void freed_oneshot_thread_unmasks_for_the_others(void **state)
{
	int other;

	(void)state;
	assert_int_equal(request(wake, thread, &virq, ONTB_IRQ_SHARED | ONTB_IRQ_ONESHOT), 0);
	assert_int_equal(request(ignore, thread, &other, ONTB_IRQ_SHARED | ONTB_IRQ_ONESHOT), 0);
	raise();
	(void)rig_calls();
	assert_int_equal(ontb_irq_free(rig_sys, virq, &virq), 0);
	assert_string_equal(rig_calls(), "outer.unmask ");
	assert_int_equal(ontb_irq_free(rig_sys, virq, &other), 0);
	assert_int_equal(nr_threads, 0);
}

static void handler_that_wakes_what_it_has_not_is_told(void **state)
{
	(void)state;
	assert_int_equal(request(wake, NULL, &virq, 0), 0);
	raise();
	assert_int_equal(ontb_irq_free(rig_sys, virq, &virq), 0);
	assert_non_null(strstr(lines, "handler eth0 wakes a thread"));
}

static void real_thread_is_waited_for(void **state)
{
	(void)state;
	assert_int_equal(request(NULL, thread, &virq, 0), 0);
	for (unsigned int i = 1; i <= 100; i++) {
		raise();
		assert_int_equal(ontb_irq_synchronize(rig_sys, virq), 0);
		assert_int_equal(nr_threads, i);
	}
	raise();
	assert_int_equal(ontb_irq_free(rig_sys, virq, &virq), 0);
	assert_true(nr_threads == 100 || nr_threads == 101);
}

/* Nested. */

static struct rig_domain *inside;
static unsigned int child;

static enum ontb_irq_return demultiplex_in_thread(unsigned int number, void *dev)
{
	(void)number;
	(void)dev;
	nr_threads++;
	assert_int_equal(ontb_irq_dispatch(inside->domain, inside->base + child), 0);
	return ONTB_IRQ_HANDLED;
}

static enum ontb_irq_return must_not_run(unsigned int number, void *dev)
{
	(void)number;
	(void)dev;
	abort();
}

static void nested_interrupt_runs_in_the_thread_of_the_outer_one(void **state)
{
	struct ontb_irq_request req = { .handler = must_not_run, .dev = &child, .name = "child" };

	(void)state;
	inside = rig_add("inside", NULL, 0);
	inside->flow = ONTB_IRQ_NESTED;
	child = rig_alloc(inside);
	assert_int_equal(ontb_irq_request(rig_sys, child, &req), -EINVAL);
	assert_int_equal(ontb_irq_set_chained(rig_sys, child, handle, NULL), -EINVAL);
	req.thread = handle;
	assert_int_equal(ontb_irq_request(rig_sys, child, &req), 0);
	assert_int_equal(request(NULL, demultiplex_in_thread, &virq, ONTB_IRQ_ONESHOT), 0);
	(void)rig_calls();
	raise();
	assert_int_equal(nr_handled, 0);
	assert_int_equal(ontb_irq_synchronize(rig_sys, virq), 0);
	assert_int_equal(nr_threads, 1);
	assert_int_equal(nr_handled, 1);
	assert_int_equal(ontb_irq_disable(rig_sys, child), 0);
	raise();
	assert_int_equal(ontb_irq_synchronize(rig_sys, virq), 0);
	assert_int_equal(nr_handled, 1);
	assert_int_equal(ontb_irq_enable(rig_sys, child), 0);
	while (ontb_worker_pool_step(rig_pool))
		;
	assert_int_equal(nr_handled, 2);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &virq), 0);
	assert_int_equal(ontb_irq_free(rig_sys, child, &child), 0);
	rig_release(inside, child);
}

/* Interrupts that nobody wants. */

static void interrupt_that_nobody_wants_is_stopped(void **state)
{
	struct ontb_irq_status status;
	int other;

	(void)state;
	rig_be_quiet();
	assert_int_equal(request(ignore, NULL, &virq, ONTB_IRQ_SHARED), 0);
	assert_int_equal(request(ignore, NULL, &other, ONTB_IRQ_SHARED), 0);
	for (unsigned int i = 0; i < 99999; i++)
		raise();
	assert_string_equal(lines, "");
	raise();
	assert_non_null(strstr(lines, "interrupt 1 of outer"));
	assert_non_null(strstr(lines, "eth0"));
	assert_non_null(strstr(lines, "or another one"));
	assert_int_equal(nr_handled, 200000);
	raise();
	assert_int_equal(nr_handled, 200000);
	assert_int_equal(ontb_irq_status(rig_sys, virq, &status), 0);
	assert_false(status.is_enabled);
	assert_int_equal(status.unhandled, 100000);
	assert_int_equal(status.count, 100000);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &virq), 0);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &other), 0);
	assert_int_equal(request(handle, NULL, &virq, 0), 0); /* a better driver */
	raise();
	assert_int_equal(nr_handled, 200001);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &virq), 0);
}

static enum ontb_irq_return find_nothing(unsigned int number, void *dev)
{
	(void)number;
	nr_threads++;
	return *(const bool *)dev ? ONTB_IRQ_HANDLED : ONTB_IRQ_NONE;
}

static void interrupt_whose_thread_never_finds_work_is_stopped(void **state)
{
	bool finds = true;
	struct ontb_irq_status status;

	(void)state;
	rig_be_quiet();
	assert_int_equal(request(NULL, find_nothing, &finds, 0), 0);
	for (unsigned int i = 0; i < 200000; i++) {
		raise();
		assert_true(ontb_worker_pool_step(rig_pool));
	}
	/* Nor one whose thread cannot keep up. */
	for (unsigned int i = 0; i < 200000; i++)
		raise();
	assert_true(ontb_worker_pool_step(rig_pool));
	assert_string_equal(lines, "");
	finds = false;
	for (unsigned int i = 0; i < 100000; i++) {
		raise();
		assert_true(ontb_worker_pool_step(rig_pool));
	}
	assert_non_null(strstr(lines, "eth0"));
	assert_int_equal(nr_threads, 300001);
	assert_int_equal(ontb_irq_status(rig_sys, virq, &status), 0);
	assert_int_equal(status.unhandled, 100000);
	assert_false(status.is_enabled);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &finds), 0);
}

static enum ontb_irq_return want_some(unsigned int number, void *dev)
{
	(void)number;
	(void)dev;
	return ++nr_handled % 900 ? ONTB_IRQ_NONE : ONTB_IRQ_HANDLED;
}

static void interrupt_that_somebody_wants_now_and_then_goes_on(void **state)
{
	(void)state;
	rig_be_quiet();
	assert_int_equal(request(want_some, NULL, &virq, 0), 0);
	for (unsigned int i = 0; i < 300000; i++)
		raise();
	assert_int_equal(nr_handled, 300000);
	assert_string_equal(lines, "");
	assert_int_equal(ontb_irq_free(rig_sys, virq, &virq), 0);
}

#define TEST(name)	   cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_STEPPED(name) cmocka_unit_test_setup_teardown(name, setup_stepped, teardown)
#define TEST_THREADS(name) cmocka_unit_test_setup_teardown(name, setup_threads, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(request_refuses_what_makes_no_sense),
		TEST(handlers_share_only_if_all_agree),
		TEST(more_handlers_than_anybody_needs_are_refused),
		TEST(trigger_is_chosen_by_a_chip_that_can),
		TEST(domain_may_stay_active),
		TEST(disable_nests),
		TEST(interrupt_may_be_requested_disabled),
		TEST(what_the_last_handler_missed_is_not_the_next_ones),
		TEST_STEPPED(missed_edge_is_raised_again_by_a_chip_that_can),
		TEST_STEPPED(missed_edge_is_raised_again_once),
		TEST_STEPPED(missed_edge_is_handled_by_a_worker_otherwise),
		TEST_STEPPED(thread_runs_when_its_handler_says_so),
		TEST_STEPPED(oneshot_interrupt_is_masked_until_its_thread_is_done),
		TEST_STEPPED(freed_oneshot_thread_unmasks_for_the_others),
		TEST_STEPPED(handler_that_wakes_what_it_has_not_is_told),
		TEST_THREADS(real_thread_is_waited_for),
		TEST_STEPPED(nested_interrupt_runs_in_the_thread_of_the_outer_one),
		TEST(interrupt_that_nobody_wants_is_stopped),
		TEST_STEPPED(interrupt_whose_thread_never_finds_work_is_stopped),
		TEST(interrupt_that_somebody_wants_now_and_then_goes_on),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
