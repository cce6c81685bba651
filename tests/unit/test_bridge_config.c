// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Configuration space, judged by its rules and by lspci.
 */
#include "hw_rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"

#define COMMAND 0x04
#define BAR0	0x10
#define MSIX	0x80

static void identity_is_that_of_an_ntb_endpoint(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	assert_int_equal(rig_config_read(&rig, 0, 0, 4), 0x853211f8);
	assert_int_equal(rig_config_read(&rig, 0, 8, 4), 0x06800000);
	assert_int_equal(rig_config_read(&rig, 0, 0xe, 1), 0);
	assert_int_equal(rig_config_read(&rig, 0, 0x2c, 4), 0x853211f8);
	assert_int_equal(rig_config_read(&rig, 0, 0x3d, 1), 0);
	rig_close(&rig);
}

static void bars_tell_their_size(void **state)
{
	static const struct {
		unsigned int bar;
		uint64_t size;
		uint32_t flags;
	} bars[] = { { 0, 4 << 20, 0x4 }, { 2, 4 << 20, 0xc }, { 4, 2 << 20, 0xc } };
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(bars); i++) {
		uint64_t at = BAR0 + 4 * bars[i].bar;

		assert_int_equal(rig_config_read(&rig, 1, at, 8), bars[i].flags);
		rig_config_write(&rig, 1, at, UINT32_MAX, 4);
		rig_config_write(&rig, 1, at + 4, UINT32_MAX, 4);
		assert_true(rig_config_read(&rig, 1, at, 8) == (~(bars[i].size - 1) | bars[i].flags));
		rig_config_write(&rig, 1, at, 0x00000038fee00000, 8);
		assert_true(rig_config_read(&rig, 1, at, 8) == ((0x38fee00000 & ~(bars[i].size - 1)) | bars[i].flags));
	}
	rig_close(&rig);
}

static void msix_lies_where_the_partition_has_it(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 4);
	for (unsigned int p = 0; p < 4; p++) {
		assert_int_equal(rig_config_read(&rig, p, 0x34, 1), 0x40);
		assert_int_equal(rig_config_read(&rig, p, 0x41, 1), MSIX);
		assert_int_equal(rig_config_read(&rig, p, MSIX, 4), 0x00030011);
		assert_int_equal(rig_config_read(&rig, p, MSIX + 4, 4), 0x76000 + 0x4000 * p);
		assert_int_equal(rig_config_read(&rig, p, MSIX + 8, 4), 0x77000 + 0x4000 * p);
		rig_config_write(&rig, p, MSIX, UINT32_MAX, 4);
		assert_int_equal(rig_config_read(&rig, p, MSIX, 4), 0xc0030011);
	}
	rig_close(&rig);
}

static void only_writable_bits_change(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	for (unsigned int at = 0; at < 4096; at += 4)
		rig_config_write(&rig, 0, at, UINT32_MAX, 4);
	assert_int_equal(rig_config_read(&rig, 0, 0, 4), 0x853211f8);
	assert_int_equal(rig_config_read(&rig, 0, 4, 4), 0x00100546);
	assert_int_equal(rig_config_read(&rig, 0, 8, 4), 0x06800000);
	assert_int_equal(rig_config_read(&rig, 0, 0xc, 4), 0xff);
	assert_int_equal(rig_config_read(&rig, 0, 0x30, 4), 0);
	assert_int_equal(rig_config_read(&rig, 0, 0x3c, 4), 0xff);
	assert_int_equal(rig_config_read(&rig, 0, 0x100, 4), 0);
	assert_int_equal(rig_config_read(&rig, 0, 0xffc, 4), 0);
	rig_reset(&rig, 0);
	assert_int_equal(rig_config_read(&rig, 0, 4, 4), 0x00100000);
	assert_int_equal(rig_config_read(&rig, 0, 0x10, 4), 4);
	rig_close(&rig);
}

static void every_width_and_alignment_works_and_beyond_the_end_nothing(void **state)
{
	uint8_t whole[4096], part[8];
	struct ontb_func *func;
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	func = rig_func(&rig, 0);
	func->ops->enter(func);
	assert_int_equal(func->ops->config_read(func, 0, whole, sizeof(whole)), 0);
	for (unsigned int at = 0; at < 300; at++) {
		for (size_t len = 1; len <= 8; len++) {
			assert_int_equal(func->ops->config_read(func, at, part, len), 0);
			assert_memory_equal(part, whole + at, len);
		}
	}
	memset(part, 0x77, sizeof(part));
	assert_int_equal(func->ops->config_read(func, 4095, part, 2), -ERANGE);
	assert_int_equal(func->ops->config_read(func, UINT64_MAX, part, 1), -ERANGE);
	assert_int_equal(func->ops->config_write(func, 4092, part, 8), -ERANGE);
	assert_int_equal(part[0], 0x77);
	assert_int_equal(func->ops->config_read(func, 4095, part, 1), 0);
	assert_int_equal(func->ops->config_read(func, 4096, part, 0), 0);
	func->ops->leave(func);
	rig_config_write(&rig, 0, 3, 0x0600, 2);
	assert_int_equal(rig_config_read(&rig, 0, 4, 2), 6);
	rig_close(&rig);
}

static void command_bits_show_in_the_status(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	assert_true(rig_status(&rig, 0).bus_master && rig_status(&rig, 0).memory_enabled);
	rig_set_command(&rig, 0, 0);
	assert_false(rig_status(&rig, 0).bus_master || rig_status(&rig, 0).memory_enabled);
	/* The upper byte alone changes neither. */
	rig_set_command(&rig, 0, 4);
	rig_config_write(&rig, 0, COMMAND + 1, 1, 1);
	assert_true(rig_status(&rig, 0).bus_master);
	rig_close(&rig);
}

static void what_a_carrier_is_told_agrees_with_it(void **state)
{
	struct ontb_func_info info;
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	rig_func(&rig, 1)->ops->describe(rig_func(&rig, 1), &info);
	assert_int_equal(info.config_size, 4096);
	assert_int_equal(info.nr_vectors, 4);
	for (unsigned int b = 0; b < ONTB_NR_BARS; b++) {
		assert_int_equal(info.bars[b].size, b == 0 || b == 2 ? 4 << 20 : b == 4 ? 2 << 20 : 0);
		assert_int_equal(info.bars[b].prefetchable, b == 2 || b == 4);
		assert_int_equal(info.bars[b].is_64bit, b % 2 == 0);
	}
	rig_close(&rig);
}

static bool has_lspci(void)
{
	return !system("lspci --version >/dev/null 2>&1");
}

/* lspci reads a dump in its own format: "00:01.0 name", then lines of 16 bytes. */
static void dump(struct rig *rig, const char *path)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fprintf(file, "00:01.0 test\n");
	for (unsigned int at = 0; at < 4096; at += 16) {
		fprintf(file, "%02x:", at);
		for (unsigned int i = 0; i < 16; i++)
			fprintf(file, " %02x", (unsigned int)rig_config_read(rig, 0, at + i, 1));
		fprintf(file, "\n");
	}
	assert_int_equal(fclose(file), 0);
}

static void lspci_decodes_it_without_complaint(void **state)
{
	static const char *const expected[] = {
		"Bridge [0680]: ",
		"[11f8:8532]",
		"Mem+ BusMaster+",
		"Memory at fe000000 (64-bit, non-prefetchable)",
		"Memory at fd000000 (64-bit, prefetchable)",
		"Memory at fc000000 (64-bit, prefetchable)",
		"Capabilities: [40] Express (v2) Endpoint, MSI 00",
		"Speed 8GT/s",
		"Width x16",
		"Capabilities: [80] MSI-X: Enable+ Count=4 Masked-",
		"Vector table: BAR=0 offset=00076000",
		"PBA: BAR=0 offset=00077000",
	};
	char path[] = "/tmp/openntb-lspci-XXXXXX", command[128], text[8192];
	struct rig rig;
	FILE *pipe;
	size_t len;

	(void)state;
	if (!has_lspci())
		skip();
	rig_open(&rig, 2);
	rig_config_write(&rig, 0, 0x10, 0xfe000000, 4);
	rig_config_write(&rig, 0, 0x18, 0xfd000000, 4);
	rig_config_write(&rig, 0, 0x20, 0xfc000000, 4);
	rig_config_write(&rig, 0, MSIX + 2, 0x8000, 2);
	assert_int_equal(close(mkstemp(path)), 0);
	dump(&rig, path);
	(void)snprintf(command, sizeof(command), "lspci -F %s -nnvv 2>/dev/null", path);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	len = fread(text, 1, sizeof(text) - 1, pipe);
	text[len] = 0;
	assert_int_equal(pclose(pipe), 0);
	assert_int_equal(unlink(path), 0);
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(expected); i++) {
		if (!strstr(text, expected[i]))
			fail_msg("lspci does not say '%s' but:\n%s", expected[i], text);
	}
	if (strstr(text, "unknown") || strstr(text, "nvalid") || strstr(text, "disabled") || strstr(text, "<chain"))
		fail_msg("lspci complains:\n%s", text);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity_is_that_of_an_ntb_endpoint),
		cmocka_unit_test(bars_tell_their_size),
		cmocka_unit_test(msix_lies_where_the_partition_has_it),
		cmocka_unit_test(only_writable_bits_change),
		cmocka_unit_test(every_width_and_alignment_works_and_beyond_the_end_nothing),
		cmocka_unit_test(command_bits_show_in_the_status),
		cmocka_unit_test(what_a_carrier_is_told_agrees_with_it),
		cmocka_unit_test(lspci_decodes_it_without_complaint),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
