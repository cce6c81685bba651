// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Finding functions, sizing and placing their BARs, reaching them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <openntb/pci.h>

#include "base/bytes.h"
#include "fake.h"

static struct fake_machine fake;
static const struct fake_kind plain;

static int set_up(void **state)
{
	(void)state;
	fake_init(&fake);
	fake_log_start();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fake_log_end();
	return pthread_mutex_destroy(&fake.lock);
}

static struct ontb_pci_bus *scan(unsigned int nr_buses)
{
	const struct ontb_pci_config config = { .machine = &fake.machine, .nr_buses = nr_buses };
	struct ontb_pci_bus *bus = NULL;

	assert_int_equal(ontb_pci_scan(&config, &bus), 0);
	return bus;
}

static void functions_are_found_in_the_order_of_their_ids(void **state)
{
	static const uint16_t rids[] = { ONTB_RID(0, 0, 0), ONTB_RID(0, 2, 0), ONTB_RID(0, 2, 5), ONTB_RID(0, 31, 0) };
	struct ontb_pci_bus *bus;

	(void)state;
	(void)fake_add(&fake, ONTB_RID(0, 31, 0), &plain);
	(void)fake_add(&fake, ONTB_RID(0, 2, 5), &plain);
	fake_set8(fake_add(&fake, ONTB_RID(0, 2, 0), &plain), 0x0e, 0x80);
	(void)fake_add(&fake, ONTB_RID(0, 0, 0), &plain);
	/* Not to be found: function 0 does not say that there are more, function 0 is missing, another bus. */
	(void)fake_add(&fake, ONTB_RID(0, 31, 1), &plain);
	(void)fake_add(&fake, ONTB_RID(0, 3, 1), &plain);
	(void)fake_add(&fake, ONTB_RID(1, 0, 0), &plain);
	bus = scan(1);
	assert_int_equal(ontb_pci_nr_devs(bus), 4);
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(ontb_pci_rid(ontb_pci_dev_at(bus, i)), rids[i]);
		assert_ptr_equal(ontb_pci_find(bus, rids[i]), ontb_pci_dev_at(bus, i));
	}
	assert_null(ontb_pci_dev_at(bus, 4));
	assert_null(ontb_pci_find(bus, ONTB_RID(0, 31, 1)));
	assert_int_equal(ontb_pci_bus_free(bus), 0);
	bus = scan(256);
	assert_int_equal(ontb_pci_nr_devs(bus), 5);
	assert_string_equal(ontb_pci_name(ontb_pci_dev_at(bus, 4)), "0000:01:00.0");
	assert_int_equal(ontb_pci_bus_free(bus), 0);
}

static void a_function_says_what_it_is(void **state)
{
	struct ontb_pci_bus *bus;
	struct ontb_pci_dev *dev;

	(void)state;
	(void)fake_add(&fake, ONTB_RID(0, 16, 0), &plain);
	bus = scan(1);
	dev = ontb_pci_dev_at(bus, 0);
	assert_string_equal(ontb_pci_name(dev), "0000:00:10.0");
	assert_int_equal(ontb_pci_vendor(dev), 0x1af4);
	assert_int_equal(ontb_pci_device(dev), 0x1000 + ONTB_RID(0, 16, 0));
	assert_int_equal(ontb_pci_class(dev), 0x068000);
	assert_int_equal(ontb_pci_revision(dev), 7);
	assert_int_equal(ontb_pci_bus_free(bus), 0);
}

static void a_machine_without_functions_is_no_error(void **state)
{
	struct ontb_pci_config config = { .machine = &fake.machine };
	struct ontb_pci_bus *const untouched = (struct ontb_pci_bus *)0x1;
	struct ontb_pci_bus *bus = untouched;

	(void)state;
	assert_int_equal(ontb_pci_scan(&config, &bus), -EINVAL);
	config.nr_buses = 257;
	assert_int_equal(ontb_pci_scan(&config, &bus), -EINVAL);
	config.machine = NULL;
	config.nr_buses = 1;
	assert_int_equal(ontb_pci_scan(&config, &bus), -EINVAL);
	assert_ptr_equal(bus, untouched);
	bus = scan(1);
	assert_int_equal(ontb_pci_nr_devs(bus), 0);
	assert_int_equal(ontb_pci_bus_free(bus), 0);
	assert_int_equal(ontb_pci_bus_free(NULL), 0);
}

static void bars_are_sized_and_placed_apart(void **state)
{
	struct fake_func *func;
	struct ontb_pci_bus *bus;
	struct ontb_pci_bar bars[6], bar = { .addr = 7 };

	(void)state;
	/* Half below 4 GiB, half above; the start is aligned to a page only. */
	fake.machine.bar_base = 0xf0001000;
	fake.machine.bar_size = 0x100000000;
	func = fake_add(&fake, ONTB_RID(0, 2, 0), &plain);
	fake_set_bar(func, 0, 0x40000000, 0xc);
	fake_set_bar(func, 2, 0x1000, 0x0);
	fake_set_bar(func, 3, 0x100000, 0x8);
	fake_set_bar(func, 4, 16, 0x4);
	func = fake_add(&fake, ONTB_RID(0, 3, 0), &plain);
	fake_set_bar(func, 0, 0x20, 0x1);
	fake_set_bar(func, 1, 0x1000, 0x0);
	/* 16 bits of I/O space only. */
	ontb_put_le16(&func->writable[0x12], 0);
	bus = scan(1);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(ontb_pci_bar(ontb_pci_dev_at(bus, 0), 2 * i, &bars[2 * i]), 0);
	assert_int_equal(ontb_pci_bar(ontb_pci_dev_at(bus, 0), 3, &bars[3]), 0);
	assert_int_equal(ontb_pci_bar(ontb_pci_dev_at(bus, 0), 4, &bars[4]), 0);
	assert_int_equal(ontb_pci_bar(ontb_pci_dev_at(bus, 1), 1, &bars[1]), 0);
	assert_int_equal(bars[0].size, 0x40000000);
	assert_int_equal(bars[0].flags, ONTB_PCI_BAR_64 | ONTB_PCI_BAR_PREFETCH | ONTB_PCI_BAR_PLACED);
	assert_int_equal(bars[2].size, 0x1000);
	assert_int_equal(bars[2].flags, ONTB_PCI_BAR_PLACED);
	assert_int_equal(bars[3].size, 0x100000);
	assert_int_equal(bars[3].flags, ONTB_PCI_BAR_PREFETCH | ONTB_PCI_BAR_PLACED);
	assert_int_equal(bars[4].size, 16);
	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(bars[i].addr % bars[i].size, 0);
		assert_true(bars[i].addr >= fake.machine.bar_base);
		assert_true(bars[i].addr + bars[i].size <= fake.machine.bar_base + fake.machine.bar_size);
		assert_true(bars[i].flags & ONTB_PCI_BAR_64 || bars[i].addr + bars[i].size <= 1ULL << 32);
		for (unsigned int j = 0; j < i; j++)
			assert_false(ontb_ranges_overlap(bars[i].addr, bars[i].size, bars[j].addr, bars[j].size));
	}
	/* The function knows. */
	assert_int_equal(fake_get32(&fake.funcs[0], 0x10), (uint32_t)bars[0].addr | 0xc);
	assert_int_equal(fake_get32(&fake.funcs[0], 0x14), bars[0].addr >> 32);
	assert_int_equal(fake_get32(&fake.funcs[0], 0x1c), bars[3].addr | 0x8);
	/* I/O space, the upper half of another one, and none. */
	assert_int_equal(ontb_pci_bar(ontb_pci_dev_at(bus, 1), 0, &bar), 0);
	assert_int_equal(bar.size, 0x20);
	assert_int_equal(bar.flags, ONTB_PCI_BAR_IO);
	assert_int_equal(ontb_pci_bar(ontb_pci_dev_at(bus, 0), 1, &bar), -EFAULT);
	assert_int_equal(ontb_pci_bar(ontb_pci_dev_at(bus, 1), 5, &bar), -EFAULT);
	assert_int_equal(ontb_pci_bar(ontb_pci_dev_at(bus, 1), 6, &bar), -ERANGE);
	assert_int_equal(ontb_pci_enable(ontb_pci_dev_at(bus, 1)), 0);
	assert_int_equal(ontb_pci_bus_free(bus), 0);
}

static void a_bar_without_a_place_stops_its_function_only(void **state)
{
	struct ontb_pci_bus *bus;
	struct ontb_pci_bar bar;

	(void)state;
	fake.machine.bar_size = 0x20000;
	(void)fake_add(&fake, ONTB_RID(0, 2, 0), &plain);
	fake_set_bar(fake_add(&fake, ONTB_RID(0, 3, 0), &plain), 2, 0x1000000000, 0x4);
	fake_set_bar(fake_add(&fake, ONTB_RID(0, 4, 0), &plain), 0, 0x10000, 0x0);
	bus = scan(1);
	assert_int_equal(ontb_pci_enable(ontb_pci_dev_at(bus, 0)), 0);
	assert_int_equal(ontb_pci_enable(ontb_pci_dev_at(bus, 1)), -ENOSPC);
	assert_int_equal(ontb_pci_enable(ontb_pci_dev_at(bus, 2)), 0);
	assert_int_equal(fake.funcs[1].config[4], 0);
	assert_int_equal(ontb_pci_bar(ontb_pci_dev_at(bus, 1), 2, &bar), 0);
	assert_int_equal(bar.addr, 0);
	assert_int_equal(bar.flags, ONTB_PCI_BAR_64);
	/* Also when it is not its own fault: the first one took what was left. */
	assert_int_equal(ontb_pci_bar(ontb_pci_dev_at(bus, 1), 0, &bar), 0);
	assert_int_equal(bar.flags & ONTB_PCI_BAR_PLACED, 0);
	assert_non_null(strstr(fake_line, "0000:00:03.0: BAR 0 not placed: no room for 0x10000 bytes"));
	assert_int_equal(ontb_pci_bus_free(bus), 0);
}

static void what_is_no_bar_is_ignored(void **state)
{
	struct fake_func *func = fake_add(&fake, ONTB_RID(0, 2, 0), &plain);
	struct ontb_pci_bus *bus;
	struct ontb_pci_bar bar;

	(void)state;
	/* A hole in the address bits; 64 bits at the end; a type that does not exist; type bits without address bits. */
	fake_set_bar(func, 0, 0x1000, 0x0);
	func->writable[0x12] = 0x0f;
	fake_set_bar(func, 1, 0x1000, 0x2);
	fake_set32(func, 0x18, 0x8);
	fake_set32(func, 0x1c, 0x1);
	fake_set32(func, 0x24, 0x4);
	func->writable[0x27] = 0xf0;
	bus = scan(1);
	for (unsigned int i = 0; i < 6; i++)
		assert_int_equal(ontb_pci_bar(ontb_pci_dev_at(bus, 0), i, &bar), -EFAULT);
	assert_non_null(strstr(fake_line, "0000:00:02.0: BAR 5 ignored"));
	assert_int_equal(ontb_pci_enable(ontb_pci_dev_at(bus, 0)), 0);
	assert_int_equal(ontb_pci_bus_free(bus), 0);
}

static void scan_and_free_leave_functions_off_and_bridges_on(void **state)
{
	struct fake_func *func = fake_add(&fake, ONTB_RID(0, 2, 0), &plain);
	struct fake_func *bridge = fake_add(&fake, ONTB_RID(0, 3, 0), &plain);
	struct ontb_pci_bus *bus;
	struct ontb_pci_bar bar;

	(void)state;
	fake_set16(func, 4, 0x147);
	fake_set16(bridge, 4, 0x147);
	fake_set8(bridge, 0x0e, 1);
	bus = scan(1);
	assert_int_equal(func->config[4] | func->config[5] << 8, 0x140);
	assert_int_equal(bridge->config[4] | bridge->config[5] << 8, 0x147);
	assert_int_equal(ontb_pci_bar(ontb_pci_dev_at(bus, 1), 0, &bar), -EFAULT);
	assert_int_equal(ontb_pci_enable(ontb_pci_dev_at(bus, 0)), 0);
	assert_int_equal(func->config[4], 0x42);
	ontb_pci_set_master(ontb_pci_dev_at(bus, 0), true);
	assert_int_equal(func->config[4], 0x46);
	ontb_pci_set_master(ontb_pci_dev_at(bus, 0), false);
	assert_int_equal(func->config[4], 0x42);
	ontb_pci_set_master(ontb_pci_dev_at(bus, 0), true);
	assert_int_equal(ontb_pci_disable(ontb_pci_dev_at(bus, 0)), 0);
	assert_int_equal(func->config[4], 0x40);
	assert_int_equal(ontb_pci_enable(ontb_pci_dev_at(bus, 0)), 0);
	assert_int_equal(ontb_pci_bus_free(bus), 0);
	assert_int_equal(func->config[4], 0x40);
	assert_int_equal(bridge->config[4] | bridge->config[5] << 8, 0x147);
}

static void bars_are_read_and_written_inside_their_size_only(void **state)
{
	struct fake_func *func = fake_add(&fake, ONTB_RID(0, 2, 0), &plain);
	struct ontb_pci_bus *bus;
	struct ontb_pci_dev *dev;
	uint8_t buf[16];

	(void)state;
	(void)fake_add(&fake, ONTB_RID(0, 3, 0), &plain);
	bus = scan(1);
	dev = ontb_pci_dev_at(bus, 0);
	assert_int_equal(ontb_pci_bar_read32(dev, 0, 0), UINT32_MAX); /* not enabled */
	assert_int_equal(ontb_pci_enable(dev), 0);
	assert_int_equal(ontb_pci_enable(ontb_pci_dev_at(bus, 1)), 0);
	ontb_pci_bar_write64(dev, 0, 0x100, 0x1122334455667788);
	ontb_pci_bar_write32(dev, 0, 0x108, 0x99aabbcc);
	ontb_pci_bar_write16(dev, 0, 0x10c, 0xddee);
	ontb_pci_bar_write8(dev, 0, 0x10e, 0xff);
	assert_int_equal(ontb_pci_bar_read64(dev, 0, 0x100), 0x1122334455667788);
	assert_int_equal(ontb_pci_bar_read32(dev, 0, 0x108), 0x99aabbcc);
	assert_int_equal(ontb_pci_bar_read16(dev, 0, 0x10c), 0xddee);
	assert_int_equal(ontb_pci_bar_read8(dev, 0, 0x10e), 0xff);
	ontb_pci_bar_copy_from(dev, 0, buf, 0x100, sizeof(buf));
	assert_memory_equal(buf, &func->bar[0x100], sizeof(buf));
	ontb_pci_bar_copy_to(dev, 0, FAKE_BAR_MEMORY - sizeof(buf), buf, sizeof(buf));
	fake_settle(&fake);
	assert_memory_equal(buf, &func->bar[FAKE_BAR_MEMORY - sizeof(buf)], sizeof(buf));
	/* Past the end is the next function. */
	func->nr_writes = 0;
	ontb_pci_bar_write32(dev, 0, FAKE_BAR_MEMORY - 2, 0);
	ontb_pci_bar_write8(dev, 0, FAKE_BAR_MEMORY, 1);
	ontb_pci_bar_write64(dev, 0, UINT64_MAX - 3, 1);
	ontb_pci_bar_write32(dev, 1, 0, 1);
	ontb_pci_bar_write32(dev, 6, 0, 1);
	ontb_pci_bar_copy_to(dev, 0, FAKE_BAR_MEMORY - 15, buf, sizeof(buf));
	assert_int_equal(fake.nr_posted, 0);
	assert_int_equal(ontb_pci_bar_read32(dev, 0, FAKE_BAR_MEMORY - 2), UINT32_MAX);
	assert_int_equal(ontb_pci_bar_read8(dev, 7, 0), 0xff);
	assert_int_equal(ontb_pci_bar_read64(dev, 2, 0), UINT64_MAX);
	ontb_pci_bar_copy_from(dev, 0, buf, FAKE_BAR_MEMORY - 15, sizeof(buf));
	for (unsigned int i = 0; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0xff);
	assert_int_equal(func->nr_writes, 0);
	assert_int_equal(ontb_pci_bus_free(bus), 0);
}

static void configuration_space_is_read_and_written_with_natural_sizes(void **state)
{
	struct fake_func *func = fake_add(&fake, ONTB_RID(0, 2, 0), &plain);
	struct ontb_pci_bus *bus;
	struct ontb_pci_dev *dev;

	(void)state;
	func->writable[0xffc] = func->writable[0xffd] = func->writable[0xffe] = func->writable[0xfff] = 0xff;
	bus = scan(1);
	dev = ontb_pci_dev_at(bus, 0);
	ontb_pci_config_write(dev, 0xffc, 4, 0x44332211);
	ontb_pci_config_write(dev, 0xffe, 2, 0x8877);
	ontb_pci_config_write(dev, 0xffc, 1, 0x99);
	assert_int_equal(ontb_pci_config_read(dev, 0xffc, 4), 0x88772299);
	assert_int_equal(ontb_pci_config_read(dev, 0xffe, 2), 0x8877);
	assert_int_equal(ontb_pci_config_read(dev, 0xffd, 1), 0x22);
	/* Wrong sizes and places do nothing. */
	ontb_pci_config_write(dev, 0xffe, 4, 0);
	ontb_pci_config_write(dev, 0xffc, 3, 0);
	ontb_pci_config_write(dev, 0x1000, 4, 0);
	ontb_pci_config_write(dev, 0xffc, 8, 0);
	assert_int_equal(ontb_pci_config_read(dev, 0xffc, 4), 0x88772299);
	assert_int_equal(ontb_pci_config_read(dev, 0xffd, 2), UINT32_MAX);
	assert_int_equal(ontb_pci_config_read(dev, 0x1000, 1), UINT32_MAX);
	assert_int_equal(ontb_pci_config_read(dev, 0, 0), UINT32_MAX);
	func->is_gone = true;
	assert_int_equal(ontb_pci_config_read(dev, 0xffc, 2), 0xffff);
	assert_int_equal(ontb_pci_enable(dev), -EFAULT);
	assert_int_equal(ontb_pci_bus_free(bus), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(functions_are_found_in_the_order_of_their_ids),
		TEST(a_function_says_what_it_is),
		TEST(a_machine_without_functions_is_no_error),
		TEST(bars_are_sized_and_placed_apart),
		TEST(a_bar_without_a_place_stops_its_function_only),
		TEST(what_is_no_bar_is_ignored),
		TEST(scan_and_free_leave_functions_off_and_bridges_on),
		TEST(bars_are_read_and_written_inside_their_size_only),
		TEST(configuration_space_is_read_and_written_with_natural_sizes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
