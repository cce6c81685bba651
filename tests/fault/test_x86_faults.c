// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Constructors and starts of src/hw/x86 fail at each of their steps: nothing leaks, nothing changes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "hw/x86/cpu.h"
#include "hw/x86/vtd.h"
#include "inject.h"

static void bus_undoes_what_it_made(void **state)
{
	struct ontb_apic_bus bus, before;
	unsigned int nth;
	int ret;

	(void)state;
	memset(&bus, 0x5a, sizeof(bus));
	before = bus;
	for (nth = 0;; nth++) {
		inject_arm(nth);
		ret = ontb_apic_bus_init(&bus, "host", 16);
		if (!inject_disarm())
			break;
		assert_int_equal(ret, -ENOMEM);
		assert_memory_equal(&bus, &before, sizeof(bus));
	}
	assert_int_equal(ret, 0);
	assert_int_equal(nth, 1);
	ontb_apic_bus_fini(&bus);
}

static void take_nothing(void *arg, unsigned int cpu, unsigned int vector)
{
	(void)arg;
	(void)cpu;
	(void)vector;
}

static void cpu_without_a_thread_stays_stopped(void **state)
{
	struct ontb_apic_bus bus;
	struct ontb_cpu cpu;
	unsigned int nth;
	int ret;

	(void)state;
	assert_int_equal(ontb_apic_bus_init(&bus, "host", 1), 0);
	ontb_cpu_init(&cpu, &bus.lapics[0], false, 0);
	ontb_cpu_set_entry(&cpu, take_nothing, NULL);
	for (nth = 0;; nth++) {
		inject_arm(nth);
		ret = ontb_cpu_start(&cpu);
		if (!inject_disarm())
			break;
		assert_true(ret < 0);
		assert_int_equal(ontb_lapic_deliver(&bus.lapics[0], 0x40, false), ONTB_LAPIC_OFF);
		assert_false(ontb_cpu_has_work(&cpu));
		assert_int_equal(ontb_cpu_stop(&cpu), 0);
	}
	assert_int_equal(ret, 0);
	assert_int_equal(nth, 1);
	ontb_lapic_write(&bus.lapics[0], ONTB_APIC_SVR, ONTB_APIC_SVR_ENABLE | 0xff);
	assert_int_equal(ontb_lapic_deliver(&bus.lapics[0], 0x40, false), ONTB_LAPIC_ACCEPTED);
	assert_int_equal(ontb_cpu_stop(&cpu), 0);
	ontb_cpu_fini(&cpu);
	ontb_apic_bus_fini(&bus);
}

static void remapping_unit_undoes_what_it_made(void **state)
{
	struct ontb_vtd *const untouched = (struct ontb_vtd *)0x1;
	struct ontb_vtd_config config = { .name = "host" };
	struct ontb_vtd *vtd = untouched;
	unsigned int nth;
	int ret;

	(void)state;
	for (nth = 0;; nth++) {
		inject_arm(nth);
		ret = ontb_vtd_new(&config, &vtd);
		if (!inject_disarm())
			break;
		assert_int_equal(ret, -ENOMEM);
		assert_ptr_equal(vtd, untouched);
	}
	assert_int_equal(ret, 0);
	/* The unit and its cache. */
	assert_int_equal(nth, 2);
	ontb_vtd_free(vtd);
	ontb_vtd_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bus_undoes_what_it_made),
		cmocka_unit_test(cpu_without_a_thread_stays_stopped),
		cmocka_unit_test(remapping_unit_undoes_what_it_made),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
