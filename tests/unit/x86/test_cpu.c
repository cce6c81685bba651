// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * CPUs: threads that sleep and wake, stepping, starting and stopping while messages come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "hw/x86/cpu.h"

#define NR_CPUS	    2
#define NR_SENDERS  3
#define NR_EACH	    20000
#define DEADLINE_NS (60 * ONTB_NS_PER_S)
#define ENABLED	    (ONTB_APIC_SVR_ENABLE | 0xff)

static struct ontb_apic_bus bus;
static struct ontb_cpu cpus[NR_CPUS];
static _Atomic unsigned int nr_handled[NR_CPUS][256];
static _Atomic unsigned int nr_inside;
static _Atomic unsigned int nr_elsewhere;
static _Atomic int in_handler_result;
static _Atomic bool may_leave;

static void count(void *arg, unsigned int cpu, unsigned int vector)
{
	(void)arg;
	atomic_fetch_add(&nr_inside, 1);
	if (ontb_cpu_current() != &cpus[cpu])
		atomic_fetch_add(&nr_elsewhere, 1);
	atomic_fetch_add(&nr_handled[cpu][vector], 1);
	ontb_lapic_write(&bus.lapics[cpu], ONTB_APIC_EOI, 0);
	atomic_fetch_sub(&nr_inside, 1);
}

static void make(bool is_stepped, unsigned int nr_spins, ontb_machine_entry *entry)
{
	memset(nr_handled, 0, sizeof(nr_handled));
	atomic_store(&may_leave, false);
	assert_int_equal(ontb_apic_bus_init(&bus, "host", NR_CPUS), 0);
	for (unsigned int i = 0; i < NR_CPUS; i++) {
		ontb_cpu_init(&cpus[i], &bus.lapics[i], is_stepped, nr_spins);
		ontb_cpu_set_entry(&cpus[i], entry, NULL);
	}
}

static void destroy(void)
{
	assert_int_equal(atomic_load(&nr_elsewhere), 0);
	for (unsigned int i = 0; i < NR_CPUS; i++) {
		assert_int_equal(ontb_cpu_stop(&cpus[i]), 0);
		ontb_cpu_fini(&cpus[i]);
	}
	ontb_apic_bus_fini(&bus);
}

static void start(unsigned int cpu)
{
	assert_int_equal(ontb_cpu_start(&cpus[cpu]), 0);
	ontb_lapic_write(&bus.lapics[cpu], ONTB_APIC_SVR, ENABLED);
}

/* Wait for an event with a deadline. */
#define WAIT_FOR(condition)                                                                                            \
	do {                                                                                                           \
		uint64_t end_ns = ontb_clock_ns() + DEADLINE_NS;                                                       \
                                                                                                                       \
		while (!(condition)) {                                                                                 \
			assert_true(ontb_clock_ns() < end_ns);                                                         \
			(void)sched_yield();                                                                           \
		}                                                                                                      \
	} while (0)

static void stepped_cpu_takes_one_interrupt_a_step(void **state)
{
	(void)state;
	make(true, 0, count);
	assert_int_equal(ontb_cpu_step(&cpus[0]), 0);
	start(0);
	assert_false(ontb_cpu_has_work(&cpus[0]));
	(void)ontb_lapic_deliver(&bus.lapics[0], 0x40, false);
	(void)ontb_lapic_deliver(&bus.lapics[0], 0x90, false);
	assert_true(ontb_cpu_has_work(&cpus[0]));
	assert_int_equal(ontb_cpu_step(&cpus[0]), 1);
	assert_int_equal(nr_handled[0][0x90], 1);
	assert_int_equal(nr_handled[0][0x40], 0);
	assert_int_equal(ontb_cpu_step(&cpus[0]), 1);
	assert_int_equal(nr_handled[0][0x40], 1);
	assert_int_equal(ontb_cpu_step(&cpus[0]), 0);
	assert_null(ontb_cpu_current());
	assert_int_equal(bus.lapics[0].nr_wakes, 0);
	destroy();
}

static void start_and_stop_say_what_is_wrong(void **state)
{
	(void)state;
	make(false, 0, NULL);
	assert_int_equal(ontb_cpu_start(&cpus[0]), -EINVAL);
	ontb_cpu_set_entry(&cpus[0], count, NULL);
	start(0);
	assert_int_equal(ontb_cpu_start(&cpus[0]), -EBUSY);
	assert_int_equal(ontb_cpu_step(&cpus[0]), -EINVAL);
	assert_int_equal(ontb_cpu_stop(&cpus[0]), 0);
	assert_int_equal(ontb_cpu_stop(&cpus[0]), 0);
	destroy();
}

static void what_is_pending_when_it_stops_can_be_read_until_it_starts(void **state)
{
	(void)state;
	for (unsigned int is_stepped = 0; is_stepped < 2; is_stepped++) {
		struct ontb_lapic *lapic;

		make(is_stepped, 0, count);
		lapic = &bus.lapics[0];
		start(0);
		ontb_lapic_write(lapic, ONTB_APIC_TPR, 0xf0);
		(void)ontb_lapic_deliver(lapic, 0x40, false);
		assert_int_equal(ontb_cpu_stop(&cpus[0]), 0);
		assert_int_equal(ontb_lapic_deliver(lapic, 0x41, false), ONTB_LAPIC_OFF);
		assert_int_equal(ontb_lapic_read(lapic, ONTB_APIC_IRR + 2), 1);
		assert_int_equal(ontb_lapic_read(lapic, ONTB_APIC_TPR), 0xf0);
		assert_int_equal(ontb_cpu_start(&cpus[0]), 0);
		assert_int_equal(ontb_lapic_read(lapic, ONTB_APIC_IRR + 2), 0);
		assert_int_equal(ontb_lapic_read(lapic, ONTB_APIC_TPR), 0);
		assert_int_equal(ontb_lapic_read(lapic, ONTB_APIC_SVR), 0xff);
		assert_int_equal(ontb_lapic_deliver(lapic, 0x42, false), ONTB_LAPIC_OFF);
		destroy();
		assert_int_equal(nr_handled[0][0x40] + nr_handled[0][0x41] + nr_handled[0][0x42], 0);
	}
}

static void stopped_cpu_cannot_be_stepped(void **state)
{
	(void)state;
	make(true, 0, count);
	start(0);
	(void)ontb_lapic_deliver(&bus.lapics[0], 0x40, false);
	assert_true(ontb_cpu_has_work(&cpus[0]));
	assert_int_equal(ontb_cpu_stop(&cpus[0]), 0);
	assert_false(ontb_cpu_has_work(&cpus[0]));
	assert_int_equal(ontb_cpu_step(&cpus[0]), 0);
	start(0);
	assert_int_equal(ontb_cpu_step(&cpus[0]), 0);
	assert_int_equal(nr_handled[0][0x40], 0);
	destroy();
}

static void stop_itself(void *arg, unsigned int cpu, unsigned int vector)
{
	(void)arg;
	atomic_store(&in_handler_result, ontb_cpu_stop(&cpus[cpu]));
	count(NULL, cpu, vector);
}

static void step_inside(void *arg, unsigned int cpu, unsigned int vector)
{
	(void)arg;
	atomic_store(&in_handler_result, ontb_cpu_step(&cpus[cpu ^ 1]));
	count(NULL, cpu, vector);
}

static void ignore_line(void *arg, enum ontb_log_level level, const char *line)
{
	(void)level;
	(*(unsigned int *)arg)++;
	assert_non_null(strstr(line, "host: CPU 0: not stopped"));
}

static void cpu_cannot_stop_itself(void **state)
{
	unsigned int nr_lines = 0;

	(void)state;
	ontb_log_set_sink(ignore_line, &nr_lines);
	for (unsigned int is_stepped = 0; is_stepped < 2; is_stepped++) {
		make(is_stepped, 0, stop_itself);
		start(0);
		for (unsigned int i = 1; i <= 2; i++) {
			atomic_store(&in_handler_result, 0);
			(void)ontb_lapic_deliver(&bus.lapics[0], 0x40, false);
			if (is_stepped)
				assert_int_equal(ontb_cpu_step(&cpus[0]), 1);
			WAIT_FOR(atomic_load(&nr_handled[0][0x40]) == i);
			assert_int_equal(atomic_load(&in_handler_result), -EDEADLK);
		}
		destroy();
	}
	ontb_log_set_sink(NULL, NULL);
	assert_int_equal(nr_lines, 4);
}

static void handler_cannot_step(void **state)
{
	(void)state;
	make(true, 0, step_inside);
	start(0);
	start(1);
	(void)ontb_lapic_deliver(&bus.lapics[0], 0x40, false);
	(void)ontb_lapic_deliver(&bus.lapics[1], 0x41, false);
	assert_int_equal(ontb_cpu_step(&cpus[0]), 1);
	assert_int_equal(atomic_load(&in_handler_result), -EDEADLK);
	assert_int_equal(nr_handled[1][0x41], 0);
	destroy();
}

static void linger(void *arg, unsigned int cpu, unsigned int vector)
{
	(void)arg;
	atomic_fetch_add(&nr_inside, 1);
	while (!atomic_load(&may_leave))
		(void)sched_yield();
	atomic_fetch_add(&nr_handled[cpu][vector], 1);
	ontb_lapic_write(&bus.lapics[cpu], ONTB_APIC_EOI, 0);
	atomic_fetch_sub(&nr_inside, 1);
}

static void *stop_it(void *arg)
{
	static const char *const wrong = "still in a handler";

	(void)ontb_cpu_stop(arg);
	return atomic_load(&nr_inside) ? (void *)(uintptr_t)wrong : NULL;
}

static void *step_it(void *arg)
{
	(void)ontb_cpu_step(arg);
	return NULL;
}

static void stop_waits_for_the_handler(void **state)
{
	(void)state;
	for (unsigned int is_stepped = 0; is_stepped < 2; is_stepped++) {
		pthread_t stoppers[2], stepper;
		void *wrong;

		make(is_stepped, 0, linger);
		start(0);
		(void)ontb_lapic_deliver(&bus.lapics[0], 0x40, false);
		if (is_stepped)
			assert_int_equal(pthread_create(&stepper, NULL, step_it, &cpus[0]), 0);
		WAIT_FOR(atomic_load(&nr_inside));
		if (is_stepped)
			assert_int_equal(ontb_cpu_step(&cpus[0]), -EBUSY);
		for (unsigned int i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&stoppers[i], NULL, stop_it, &cpus[0]), 0);
		/* Once it refuses messages, somebody is stopping a stepped CPU only after its handler; a thread's at once. */
		if (!is_stepped)
			WAIT_FOR(!atomic_load(&bus.lapics[0].is_online));
		assert_int_equal(ontb_cpu_start(&cpus[0]), -EBUSY);
		atomic_store(&may_leave, true);
		for (unsigned int i = 0; i < 2; i++) {
			assert_int_equal(pthread_join(stoppers[i], &wrong), 0);
			assert_null(wrong);
		}
		if (is_stepped)
			assert_int_equal(pthread_join(stepper, NULL), 0);
		assert_int_equal(nr_handled[0][0x40], 1);
		destroy();
	}
}

struct sender {
	pthread_t id;
	unsigned int idx;
	uint64_t nr_accepted;
};

/* Each sender has vectors of its own, and waits for nobody. */
static void *send_many(void *arg)
{
	struct sender *sender = arg;

	for (unsigned int i = 0; i < NR_EACH; i++) {
		uint8_t vector = (uint8_t)(0x30 + 0x10 * sender->idx + i % 16);

		if (ontb_lapic_deliver(&bus.lapics[i % NR_CPUS], vector, false) == ONTB_LAPIC_ACCEPTED)
			sender->nr_accepted++;
	}
	return NULL;
}

static uint64_t total_handled(void)
{
	uint64_t total = 0;

	for (unsigned int cpu = 0; cpu < NR_CPUS; cpu++) {
		for (unsigned int v = 0; v < 256; v++)
			total += atomic_load(&nr_handled[cpu][v]);
	}
	return total;
}

static void every_accepted_interrupt_is_handled_once(void **state)
{
	static const unsigned int spins[] = { 0, 1000 };

	(void)state;
	for (unsigned int s = 0; s < ONTB_ARRAY_SIZE(spins); s++) {
		struct sender senders[NR_SENDERS] = { 0 };
		uint64_t nr_accepted = 0, nr_merged = 0;

		make(false, spins[s], count);
		start(0);
		start(1);
		for (unsigned int i = 0; i < NR_SENDERS; i++) {
			senders[i].idx = i;
			assert_int_equal(pthread_create(&senders[i].id, NULL, send_many, &senders[i]), 0);
		}
		for (unsigned int i = 0; i < NR_SENDERS; i++) {
			assert_int_equal(pthread_join(senders[i].id, NULL), 0);
			nr_accepted += senders[i].nr_accepted;
		}
		WAIT_FOR(total_handled() == nr_accepted);
		for (unsigned int cpu = 0; cpu < NR_CPUS; cpu++)
			nr_merged += atomic_load(&bus.lapics[cpu].nr_merged);
		assert_int_equal(nr_accepted + nr_merged, NR_SENDERS * NR_EACH);
		destroy();
	}
}

static void sleeping_cpu_is_woken_each_time(void **state)
{
	(void)state;
	make(false, 0, count);
	start(0);
	for (unsigned int i = 1; i <= 300; i++) {
		WAIT_FOR(atomic_load(&bus.lapics[0].is_sleeping));
		assert_int_equal(ontb_lapic_deliver(&bus.lapics[0], 0x55, false), ONTB_LAPIC_ACCEPTED);
		WAIT_FOR(atomic_load(&nr_handled[0][0x55]) == i);
	}
	assert_in_range(bus.lapics[0].nr_wakes, 300, 301);
	destroy();
}

static void running_cpu_is_sent_to_without_a_system_call(void **state)
{
	uint64_t start_ns, took_ns;

	(void)state;
	make(false, 0, linger);
	start(0);
	(void)ontb_lapic_deliver(&bus.lapics[0], 0x40, false);
	WAIT_FOR(atomic_load(&nr_inside));
	bus.lapics[0].nr_wakes = 0;
	start_ns = ontb_clock_ns();
	for (unsigned int i = 0; i < 240000; i++)
		(void)ontb_lapic_deliver(&bus.lapics[0], (uint8_t)(16 + i % 240), false);
	took_ns = ontb_clock_ns() - start_ns;
	assert_int_equal(bus.lapics[0].nr_wakes, 0);
	print_message("# a message to a running CPU: %llu ns\n", (unsigned long long)(took_ns / 240000));
	atomic_store(&may_leave, true);
	destroy();
}

static _Atomic bool is_over;

static void *keep_sending(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; !atomic_load(&is_over); i++)
		(void)ontb_lapic_deliver(&bus.lapics[0], (uint8_t)(0x40 + i % 64), false);
	return NULL;
}

static void cpu_starts_and_stops_while_messages_come(void **state)
{
	pthread_t sender;

	(void)state;
	make(false, 100, count);
	atomic_store(&is_over, false);
	assert_int_equal(pthread_create(&sender, NULL, keep_sending, NULL), 0);
	for (unsigned int i = 0; i < 200; i++) {
		uint64_t before;

		start(0);
		before = total_handled();
		WAIT_FOR(total_handled() > before);
		assert_int_equal(ontb_cpu_stop(&cpus[0]), 0);
		assert_int_equal(atomic_load(&nr_inside), 0);
		before = total_handled();
		(void)sched_yield();
		assert_int_equal(total_handled(), before);
		assert_true(!ontb_cpu_has_work(&cpus[0]));
	}
	atomic_store(&is_over, true);
	assert_int_equal(pthread_join(sender, NULL), 0);
	destroy();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stepped_cpu_takes_one_interrupt_a_step),
		cmocka_unit_test(start_and_stop_say_what_is_wrong),
		cmocka_unit_test(what_is_pending_when_it_stops_can_be_read_until_it_starts),
		cmocka_unit_test(stopped_cpu_cannot_be_stepped),
		cmocka_unit_test(cpu_cannot_stop_itself),
		cmocka_unit_test(handler_cannot_step),
		cmocka_unit_test(stop_waits_for_the_handler),
		cmocka_unit_test(every_accepted_interrupt_is_handled_once),
		cmocka_unit_test(sleeping_cpu_is_woken_each_time),
		cmocka_unit_test(running_cpu_is_sent_to_without_a_system_call),
		cmocka_unit_test(cpu_starts_and_stops_while_messages_come),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
