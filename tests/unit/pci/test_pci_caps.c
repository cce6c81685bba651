// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Capability lists, good and broken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <openntb/log.h>
#include <openntb/pci.h>

#include "fake.h"

static struct fake_machine fake;
static struct fake_func *func;
static struct ontb_pci_bus *bus;
static struct ontb_pci_dev *dev;

static void drop_line(void *arg, enum ontb_log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static int set_up(void **state)
{
	const struct fake_kind kind = { .nr_msi = 1, .nr_msix = 4 };
	const struct ontb_pci_config config = { .machine = &fake.machine, .nr_buses = 1 };

	(void)state;
	ontb_log_set_sink(drop_line, NULL);
	fake_init(&fake);
	func = fake_add(&fake, 8, &kind);
	assert_int_equal(ontb_pci_scan(&config, &bus), 0);
	dev = ontb_pci_dev_at(bus, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(ontb_pci_bus_free(bus), 0);
	ontb_log_set_sink(NULL, NULL);
	return 0;
}

static void capabilities_are_found_one_after_the_other(void **state)
{
	(void)state;
	assert_int_equal(ontb_pci_find_cap(dev, 0x05, 0), FAKE_CAP_MSI);
	assert_int_equal(ontb_pci_find_cap(dev, 0x11, 0), FAKE_CAP_MSIX);
	assert_int_equal(ontb_pci_find_cap(dev, 0x10, 0), -ENOENT);
	assert_int_equal(ontb_pci_find_cap(dev, 0x09, 0), FAKE_CAP_VENDOR);
	assert_int_equal(ontb_pci_find_cap(dev, 0x09, FAKE_CAP_VENDOR), FAKE_CAP_VENDOR_2);
	assert_int_equal(ontb_pci_find_cap(dev, 0x09, FAKE_CAP_VENDOR_2), -ENOENT);
	assert_int_equal(ontb_pci_find_cap(dev, 0x11, FAKE_CAP_VENDOR), FAKE_CAP_MSIX);
	assert_int_equal(ontb_pci_find_cap(dev, 0x11, FAKE_CAP_MSIX), -ENOENT);
	/* One that is not in the list. */
	assert_int_equal(ontb_pci_find_cap(dev, 0x11, 0xf0), -ENOENT);
	/* The lowest bits of a pointer are not part of it. */
	fake_set8(func, 0x34, FAKE_CAP_VENDOR | 3);
	assert_int_equal(ontb_pci_find_cap(dev, 0x05, 0), FAKE_CAP_MSI);
	/* No list, although there is a pointer. */
	fake_set16(func, 6, 0);
	assert_int_equal(ontb_pci_find_cap(dev, 0x05, 0), -ENOENT);
	func->is_gone = true;
	assert_int_equal(ontb_pci_find_cap(dev, 0x05, 0), -ENOENT);
	func->is_gone = false;
}

static void a_circle_of_capabilities_is_noticed(void **state)
{
	(void)state;
	fake_set8(func, FAKE_CAP_VENDOR_2 + 1, FAKE_CAP_MSI);
	assert_int_equal(ontb_pci_find_cap(dev, 0x10, 0), -EPROTO);
	/* What lies before the end is found, but going on from there does not go round. */
	assert_int_equal(ontb_pci_find_cap(dev, 0x05, 0), FAKE_CAP_MSI);
	assert_int_equal(ontb_pci_find_cap(dev, 0x05, FAKE_CAP_MSI), -EPROTO);
	fake_set8(func, FAKE_CAP_VENDOR + 1, FAKE_CAP_VENDOR);
	assert_int_equal(ontb_pci_find_cap(dev, 0x05, 0), -EPROTO);
}

static void a_pointer_into_the_header_is_refused(void **state)
{
	(void)state;
	fake_set8(func, FAKE_CAP_MSI + 1, 0x3c);
	assert_int_equal(ontb_pci_find_cap(dev, 0x05, 0), FAKE_CAP_MSI);
	assert_int_equal(ontb_pci_find_cap(dev, 0x11, 0), -EPROTO);
	fake_set8(func, 0x34, 4);
	assert_int_equal(ontb_pci_find_cap(dev, 0x05, 0), -EPROTO);
	fake_set8(func, 0x34, 0);
	assert_int_equal(ontb_pci_find_cap(dev, 0x05, 0), -ENOENT);
}

static void set_ext(unsigned int pos, uint32_t id, uint32_t next)
{
	fake_set32(func, pos, id | 1U << 16 | next << 20);
}

static void extended_capabilities_are_found_likewise(void **state)
{
	(void)state;
	assert_int_equal(ontb_pci_find_ext_cap(dev, 0, 0), -ENOENT);
	fake_set32(func, 0x100, UINT32_MAX);
	assert_int_equal(ontb_pci_find_ext_cap(dev, 0xffff, 0), -ENOENT);
	set_ext(0x100, 0x0001, 0xffc);
	set_ext(0xffc, 0x000b, 0x200);
	set_ext(0x200, 0x000b, 0);
	assert_int_equal(ontb_pci_find_ext_cap(dev, 0x0001, 0), 0x100);
	assert_int_equal(ontb_pci_find_ext_cap(dev, 0x000b, 0), 0xffc);
	assert_int_equal(ontb_pci_find_ext_cap(dev, 0x000b, 0xffc), 0x200);
	assert_int_equal(ontb_pci_find_ext_cap(dev, 0x000b, 0x200), -ENOENT);
	assert_int_equal(ontb_pci_find_ext_cap(dev, 0x0002, 0), -ENOENT);
	set_ext(0x200, 0x000b, 0xffc);
	assert_int_equal(ontb_pci_find_ext_cap(dev, 0x0002, 0), -EPROTO);
	assert_int_equal(ontb_pci_find_ext_cap(dev, 0x000b, 0x200), -EPROTO);
	set_ext(0x200, 0x000b, 0x0fc);
	assert_int_equal(ontb_pci_find_ext_cap(dev, 0x0002, 0), -EPROTO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(capabilities_are_found_one_after_the_other),
		TEST(a_circle_of_capabilities_is_noticed),
		TEST(a_pointer_into_the_header_is_refused),
		TEST(extended_capabilities_are_found_likewise),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
