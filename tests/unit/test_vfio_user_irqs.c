// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Vectors: armed, masked, latched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vfio_user/irqs.h"

static const char *why;

static uint64_t signals(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static int set(struct ontb_irqs *irqs, uint32_t flags, uint32_t start, uint32_t count, int *fds, unsigned int nr_fds)
{
	const struct ontb_wire_irq_set s = {
		.flags = flags, .index = ONTB_WIRE_IRQ_MSIX, .start = start, .count = count
	};

	return ontb_irqs_set(irqs, &s, fds, nr_fds, &why);
}

static int arm(struct ontb_irqs *irqs, uint32_t vector, int fd)
{
	int copy = dup(fd), ret;

	ret = set(irqs, ONTB_WIRE_IRQ_DATA_EVENTFD | ONTB_WIRE_IRQ_TRIGGER, vector, 1, &copy, 1);
	if (!ret)
		assert_int_equal(copy, -1);
	else
		close(copy);
	return ret;
}

static void a_vector_signals_its_own_eventfd(void **state)
{
	struct ontb_irqs irqs;
	int fds[4];

	(void)state;
	assert_int_equal(ontb_irqs_init(&irqs, 4), 0);
	for (uint32_t i = 0; i < 4; i++) {
		fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		assert_int_equal(arm(&irqs, i, fds[i]), 0);
	}
	ontb_irqs_raise(&irqs, 2);
	ontb_irqs_raise(&irqs, 2);
	ontb_irqs_raise(&irqs, 4);
	ontb_irqs_raise(&irqs, UINT32_MAX);
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(signals(fds[i]), i == 2 ? 2 : 0);
		assert_false(ontb_irqs_is_pending(&irqs, i));
		close(fds[i]);
	}
	ontb_irqs_fini(&irqs);
}

/* Every way in which a vector stops being armed, and how it is armed again. */
static void a_signal_that_cannot_be_delivered_is_latched_once(void **state)
{
	static const struct {
		uint32_t off, off_start, off_count, on;
	} rows[] = {
		{ ONTB_WIRE_IRQ_DATA_NONE | ONTB_WIRE_IRQ_TRIGGER, 0, 0, 0 },
		{ ONTB_WIRE_IRQ_DATA_EVENTFD | ONTB_WIRE_IRQ_TRIGGER, 1, 1, 0 },
		{ ONTB_WIRE_IRQ_DATA_EVENTFD | ONTB_WIRE_IRQ_TRIGGER, 0, 4, 0 },
		{ ONTB_WIRE_IRQ_DATA_NONE | ONTB_WIRE_IRQ_MASK, 1, 1, ONTB_WIRE_IRQ_DATA_NONE | ONTB_WIRE_IRQ_UNMASK },
	};
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	(void)state;
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(rows); i++) {
		struct ontb_irqs irqs;

		assert_int_equal(ontb_irqs_init(&irqs, 4), 0);
		assert_int_equal(arm(&irqs, 1, fd), 0);
		assert_int_equal(set(&irqs, rows[i].off, rows[i].off_start, rows[i].off_count, NULL, 0), 0);
		ontb_irqs_raise(&irqs, 1);
		ontb_irqs_raise(&irqs, 1);
		assert_int_equal(signals(fd), 0);
		assert_true(ontb_irqs_is_pending(&irqs, 1));
		if (rows[i].on)
			assert_int_equal(set(&irqs, rows[i].on, 1, 1, NULL, 0), 0);
		else
			assert_int_equal(arm(&irqs, 1, fd), 0);
		assert_int_equal(signals(fd), 1);
		assert_false(ontb_irqs_is_pending(&irqs, 1));
		ontb_irqs_fini(&irqs);
	}
	close(fd);
}

static void masked_and_unarmed_needs_both(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct ontb_irqs irqs;

	(void)state;
	assert_int_equal(ontb_irqs_init(&irqs, 1), 0);
	assert_int_equal(set(&irqs, ONTB_WIRE_IRQ_DATA_NONE | ONTB_WIRE_IRQ_MASK, 0, 1, NULL, 0), 0);
	ontb_irqs_raise(&irqs, 0);
	assert_int_equal(arm(&irqs, 0, fd), 0);
	assert_int_equal(signals(fd), 0);
	assert_int_equal(set(&irqs, ONTB_WIRE_IRQ_DATA_NONE | ONTB_WIRE_IRQ_UNMASK, 0, 1, NULL, 0), 0);
	assert_int_equal(signals(fd), 1);
	ontb_irqs_fini(&irqs);
	close(fd);
}

static void clear_forgets_what_is_latched(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct ontb_irqs irqs;

	(void)state;
	assert_int_equal(ontb_irqs_init(&irqs, 2), 0);
	ontb_irqs_raise(&irqs, 0);
	ontb_irqs_clear(&irqs);
	assert_int_equal(arm(&irqs, 0, fd), 0);
	assert_int_equal(signals(fd), 0);
	ontb_irqs_fini(&irqs);
	close(fd);
}

static void a_refused_request_changes_nothing(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), pipes[2], bad[2];
	const uint32_t flags = ONTB_WIRE_IRQ_DATA_EVENTFD | ONTB_WIRE_IRQ_TRIGGER;
	struct ontb_irqs irqs;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(ontb_irqs_init(&irqs, 2), 0);
	assert_int_equal(arm(&irqs, 0, fd), 0);
	bad[0] = eventfd(0, EFD_CLOEXEC);
	bad[1] = pipes[1];
	assert_int_equal(set(&irqs, flags, 0, 2, bad, 2), -EINVAL);
	assert_true(bad[0] >= 0 && bad[1] >= 0);
	assert_int_equal(set(&irqs, flags, 0, 2, bad, 1), -EINVAL);
	assert_int_equal(set(&irqs, flags, 1, 2, NULL, 0), -EINVAL);
	ontb_irqs_raise(&irqs, 0);
	assert_int_equal(signals(fd), 1);
	assert_int_equal(atomic_load(&irqs.nr_armed), 1);
	ontb_irqs_fini(&irqs);
	close(bad[0]);
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
}

static void eventfds_are_made_nonblocking_and_a_full_one_is_no_loss(void **state)
{
	const uint64_t full = UINT64_MAX - 1;
	int fd = eventfd(0, EFD_CLOEXEC);
	struct ontb_irqs irqs;

	(void)state;
	assert_int_equal(write(fd, &full, sizeof(full)), sizeof(full));
	assert_int_equal(ontb_irqs_init(&irqs, 1), 0);
	assert_int_equal(arm(&irqs, 0, fd), 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	ontb_irqs_raise(&irqs, 0);
	assert_false(ontb_irqs_is_pending(&irqs, 0));
	assert_true(signals(fd) == full);
	ontb_irqs_fini(&irqs);
	close(fd);
}

static void eventfds_are_closed(void **state)
{
	struct ontb_irqs irqs;
	int last = -1, copy;

	(void)state;

	assert_int_equal(ontb_irqs_init(&irqs, 1), 0);
	for (unsigned int i = 0; i < 3; i++) {
		copy = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		last = copy;
		assert_int_equal(set(&irqs, ONTB_WIRE_IRQ_DATA_EVENTFD | ONTB_WIRE_IRQ_TRIGGER, 0, 1, &copy, 1), 0);
		assert_int_equal(atomic_load(&irqs.nr_armed), 1);
	}
	assert_true(fcntl(last, F_GETFD) >= 0);
	ontb_irqs_fini(&irqs);
	assert_int_equal(fcntl(last, F_GETFD), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vector_signals_its_own_eventfd),
		cmocka_unit_test(a_signal_that_cannot_be_delivered_is_latched_once),
		cmocka_unit_test(masked_and_unarmed_needs_both),
		cmocka_unit_test(clear_forgets_what_is_latched),
		cmocka_unit_test(a_refused_request_changes_nothing),
		cmocka_unit_test(eventfds_are_made_nonblocking_and_a_full_one_is_no_loss),
		cmocka_unit_test(eventfds_are_closed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("vfio_user_irqs", tests, NULL, NULL);
}
