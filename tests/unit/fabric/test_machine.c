// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A machine as its software sees it: what answers at which address, and what a function may reach.
 */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RID0 ONTB_RID(0, 2, 0)
#define RID1 ONTB_RID(0, 3, 0)

static struct rig rig;

static void open_exercisers(void)
{
	rig_open(&rig, "host a cpus=2 ram=2M; endpoint exerciser a; endpoint exerciser a msix=0 msi=32", false, 1);
}

static void description_is_what_is_built(void **state)
{
	const struct ontb_machine *m;

	(void)state;
	rig_open(&rig, "host left cpus=3 ram=8M; host right", false, 1);
	assert_int_equal(ontb_fabric_nr_hosts(rig.fabric), 2);
	assert_int_equal(ontb_fabric_nr_bridges(rig.fabric), 0);
	m = ontb_fabric_machine(rig.fabric, 0);
	assert_string_equal(m->name, "left");
	assert_int_equal(m->nr_cpus, 3);
	assert_int_equal(m->ram_size, 8 << 20);
	assert_int_equal(m->iommu_base, 0);
	assert_false(m->is_stepped);
	assert_string_equal(ontb_fabric_machine(rig.fabric, 1)->name, "right");
	assert_null(ontb_fabric_machine(rig.fabric, 2));
	assert_null(ontb_fabric_bridge(rig.fabric, 0));
	assert_int_equal(ontb_fabric_ram_fd(rig.fabric, 2), -ERANGE);
	assert_int_equal(ontb_fabric_set_way(rig.fabric, 0, 0, &(struct ontb_fabric_way){ 0 }), -ERANGE);
	assert_int_equal(ontb_fabric_unplug(rig.fabric, 0, 0), -ERANGE);
	assert_int_equal(ontb_fabric_replug(rig.fabric, 0, 0), -ERANGE);
	rig_close(&rig);
}

static void wrong_description_is_explained(void **state)
{
	const struct ontb_fabric_config config = { .topology = "host a\nhots b" };
	struct ontb_fabric *const untouched = (struct ontb_fabric *)0x1;
	struct ontb_fabric *fabric = untouched;
	char why[100];

	(void)state;
	assert_int_equal(ontb_fabric_new(&config, why, sizeof(why), &fabric), -EINVAL);
	assert_ptr_equal(fabric, untouched);
	assert_memory_equal(why, "line 2: word \"hots\"", 19);
	assert_int_equal(ontb_fabric_new(&config, NULL, 0, &fabric), -EINVAL);
}

static void memory_is_a_file(void **state)
{
	uint8_t *map;
	int fd;

	(void)state;
	open_exercisers();
	fd = ontb_fabric_ram_fd(rig.fabric, 0);
	map = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	*rig_ram(&rig, 0, 0x1234) = 0x77;
	assert_int_equal(map[0x1234], 0x77);
	assert_int_equal(munmap(map, 2 << 20), 0);
	rig_close(&rig);
}

static void nobody_who_has_the_file_can_take_the_memory_away(void **state)
{
	int fd;

	(void)state;
	open_exercisers();
	fd = ontb_fabric_ram_fd(rig.fabric, 0);
	*rig_ram(&rig, 0, 0x1234) = 0x77;
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 4 << 20), -1);
	assert_int_equal(errno, EPERM);
	/* Nor make it read-only. */
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(*rig_ram(&rig, 0, 0x1234), 0x77);
	rig_close(&rig);
}

static void nothing_answers_with_all_ones_and_is_counted(void **state)
{
	uint8_t buf[40];

	(void)state;
	open_exercisers();
	assert_true(rig_read(&rig, 0, 0xe0000000, 8) == ALL_ONES);
	assert_true(rig_read(&rig, 0, 0xe0000000, 1) == 0xff);
	assert_true(rig_read(&rig, 0, 0, 4) == 0xffffffff);
	assert_true(rig_read(&rig, 0, UINT64_MAX, 1) == 0xff);
	rig_write(&rig, 0, 0xe0000000, 1, 4);
	assert_int_equal(rig_status(&rig, 0).unanswered, 5);
	/* Memory is for pointers. */
	assert_true(rig_read(&rig, 0, rig_addr(&rig, 0, 0), 4) == 0xffffffff);
	/* No such width, no such alignment, no such function. */
	assert_true(rig_read(&rig, 0, 0xe0000000, 3) == ALL_ONES);
	rig_write(&rig, 0, 0xe0000000, 0, 16);
	assert_int_equal(rig_cfg(&rig, 0, ONTB_RID(0, 4, 0), 0, 4), 0xffffffff);
	assert_int_equal(rig_cfg(&rig, 0, ONTB_RID(0, 2, 1), 0, 2), 0xffff);
	assert_int_equal(rig_cfg(&rig, 0, ONTB_RID(1, 2, 0), 0, 1), 0xff);
	assert_int_equal(rig_cfg(&rig, 0, ONTB_RID(0, 1, 0), 0, 1), 0xff);
	assert_int_equal(rig_cfg(&rig, 0, RID0, 2, 4), 0xffffffff);
	assert_int_equal(rig_cfg(&rig, 0, RID0, 4096, 4), 0xffffffff);
	rig_set_cfg(&rig, 0, ONTB_RID(0, 4, 0), 0, 0, 4);
	memset(buf, 0, sizeof(buf));
	rig.hosts[0].m->ops->mmio_copy_from(rig.hosts[0].m, buf, 0xe0000004, sizeof(buf));
	for (unsigned int i = 0; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0xff);
	assert_true(rig_status(&rig, 0).unanswered > 10);
	rig_close(&rig);
}

static void functions_are_found_by_requester_id(void **state)
{
	(void)state;
	open_exercisers();
	assert_int_equal(rig_cfg(&rig, 0, RID0, 0, 4), ONTB_EXERCISER_DEVICE << 16 | ONTB_EXERCISER_VENDOR);
	assert_int_equal(rig_cfg(&rig, 0, RID1, 0, 2), ONTB_EXERCISER_VENDOR);
	assert_int_equal(rig_cfg(&rig, 0, RID1, 3, 1), ONTB_EXERCISER_DEVICE >> 8);
	assert_int_not_equal(rig_cap(&rig, 0, RID0, 0x11), 0);
	assert_int_not_equal(rig_cap(&rig, 0, RID0, 0x05), 0);
	assert_int_equal(rig_cap(&rig, 0, RID1, 0x11), 0);
	assert_int_not_equal(rig_cap(&rig, 0, RID1, 0x05), 0);
	rig_close(&rig);
}

static void bar_answers_where_it_is_and_only_while_it_decodes(void **state)
{
	uint64_t bar, other;

	(void)state;
	open_exercisers();
	bar = rig_place_bar(&rig, 0, RID0, 0);
	other = rig_place_bar(&rig, 0, RID1, 0);
	assert_int_equal(bar, 0xe0000000);
	assert_int_equal(other, 0xe0010000);
	assert_true(rig_read(&rig, 0, bar, 4) == 0xffffffff);
	rig_enable(&rig, 0, RID0);
	assert_true(rig_read(&rig, 0, bar, 4) == ONTB_EXERCISER_ID);
	assert_true(rig_read(&rig, 0, other, 4) == 0xffffffff);
	rig_enable(&rig, 0, RID1);
	rig_write(&rig, 0, bar + ONTB_EXERCISER_REG_SCRATCH, 0x11111111, 4);
	rig_write(&rig, 0, other + ONTB_EXERCISER_REG_SCRATCH, 0x22222222, 4);
	assert_true(rig_read(&rig, 0, bar + ONTB_EXERCISER_REG_SCRATCH, 4) == 0x11111111);
	assert_true(rig_read(&rig, 0, other + ONTB_EXERCISER_REG_SCRATCH, 4) == 0x22222222);
	/* The last bytes of one and the first of the other. */
	assert_true(rig_read(&rig, 0, other - 4, 8) == (uint64_t)ONTB_EXERCISER_ID << 32);
	/* Moved while it decodes. */
	rig_set_cfg(&rig, 0, RID0, 0x10, 0xe1000000, 4);
	assert_true(rig_read(&rig, 0, bar + ONTB_EXERCISER_REG_SCRATCH, 4) == 0xffffffff);
	assert_true(rig_read(&rig, 0, 0xe1000000 + ONTB_EXERCISER_REG_SCRATCH, 4) == 0x11111111);
	rig_set_cfg(&rig, 0, RID0, 0x14, 0x7, 4);
	assert_true(rig_read(&rig, 0, 0x7e1000000 + ONTB_EXERCISER_REG_SCRATCH, 4) == 0x11111111);
	rig_set_cfg(&rig, 0, RID0, 4, 4, 2);
	assert_true(rig_read(&rig, 0, 0x7e1000000, 4) == 0xffffffff);
	rig_close(&rig);
}

static void bar_registers_say_what_they_are(void **state)
{
	(void)state;
	open_exercisers();
	assert_int_equal(rig_cfg(&rig, 0, RID0, 0x10, 4), 0x4);
	rig_set_cfg(&rig, 0, RID0, 0x10, 0xffffffff, 4);
	rig_set_cfg(&rig, 0, RID0, 0x14, 0xffffffff, 4);
	assert_int_equal(rig_cfg(&rig, 0, RID0, 0x10, 4), 0xffff0004);
	assert_int_equal(rig_cfg(&rig, 0, RID0, 0x14, 4), 0xffffffff);
	rig_set_cfg(&rig, 0, RID0, 0x18, 0xffffffff, 4);
	assert_int_equal(rig_cfg(&rig, 0, RID0, 0x18, 4), 0);
	/* Bytes of it. */
	rig_set_cfg(&rig, 0, RID0, 0x12, 0xe055, 2);
	assert_int_equal(rig_cfg(&rig, 0, RID0, 0x10, 4), 0xe0550004);
	assert_int_equal(rig_cfg(&rig, 0, RID0, 0x13, 1), 0xe0);
	rig_close(&rig);
}

static void larger_bars_go_above_4_gib(void **state)
{
	struct rig_switch sw;

	(void)state;
	rig_open(&rig, "host a; bridge switchtec a - bar4=1G", false, 1);
	assert_true(rig.hosts[0].m->bar_base >= 1ULL << 32);
	rig_open_switch(&rig, &sw, 0, 0, RID0);
	assert_true(sw.bar4 >= 1ULL << 32);
	assert_int_equal(rig_read(&rig, 0, sw.bar0 + 0x2000 + 6, 1), 0);
	assert_true(rig_read(&rig, 0, sw.bar0 + 0x2000, 4) != 0xffffffff);
	rig_close(&rig);
}

static uint32_t dma(uint64_t bar, uint64_t addr, uint64_t value, unsigned int len)
{
	rig_write(&rig, 0, bar + ONTB_EXERCISER_REG_DMA_ADDR, addr, 8);
	rig_write(&rig, 0, bar + ONTB_EXERCISER_REG_DMA_DATA, value, 8);
	rig_write(&rig, 0, bar + ONTB_EXERCISER_REG_DMA_GO, len, 4);
	return (uint32_t)rig_read(&rig, 0, bar + ONTB_EXERCISER_REG_STATUS, 4);
}

static void writes_of_a_function_reach_memory_and_nothing_else(void **state)
{
	uint8_t *ram;
	uint64_t bar, end;

	(void)state;
	open_exercisers();
	bar = rig_place_bar(&rig, 0, RID0, 0);
	rig_set_cfg(&rig, 0, RID0, 4, 2, 2);
	ram = rig_ram(&rig, 0, 0);
	end = rig_addr(&rig, 0, 2 << 20);
	assert_int_equal(dma(bar, rig_addr(&rig, 0, 0), 1, 4), ONTB_EXERCISER_NO_MASTER);
	rig_enable(&rig, 0, RID0);
	for (unsigned int len = 1; len <= 8; len++) {
		for (unsigned int at = 0; at < 8; at++) {
			uint8_t expected[24];

			memset(ram, 0xaa, 24);
			memset(expected, 0xaa, sizeof(expected));
			for (unsigned int i = 0; i < len; i++)
				expected[at + i] = (uint8_t)(i + 1);
			assert_int_equal(dma(bar, rig_addr(&rig, 0, at), 0x0807060504030201, len), ONTB_EXERCISER_DONE);
			assert_memory_equal(ram, expected, sizeof(expected));
		}
	}
	assert_int_equal(dma(bar, rig_addr(&rig, 0, 0), 1, 9), ONTB_EXERCISER_BAD_LEN);
	assert_int_equal(dma(bar, rig_addr(&rig, 0, 0), 1, 0), ONTB_EXERCISER_BAD_LEN);
	assert_int_equal(dma(bar, end - 8, 0x77, 8), ONTB_EXERCISER_DONE);
	assert_int_equal(ram[(2 << 20) - 8], 0x77);
	assert_int_equal(rig_status(&rig, 0).dma_writes, 65);
	assert_int_equal(rig_status(&rig, 0).dma_faults, 0);
	assert_int_equal(dma(bar, end - 4, 0x78, 8), ONTB_EXERCISER_FAULT);
	assert_int_equal(ram[(2 << 20) - 4], 0);
	assert_int_equal(dma(bar, end, 0x78, 1), ONTB_EXERCISER_FAULT);
	assert_int_equal(dma(bar, rig_addr(&rig, 0, 0) - 1, 0x78, 2), ONTB_EXERCISER_FAULT);
	assert_int_equal(dma(bar, UINT64_MAX, 0x78, 8), ONTB_EXERCISER_FAULT);
	/* A BAR is not memory either. */
	assert_int_equal(dma(bar, bar + ONTB_EXERCISER_REG_SCRATCH, 0x78, 4), ONTB_EXERCISER_FAULT);
	assert_int_equal(rig_status(&rig, 0).dma_faults, 5);
	assert_int_equal(rig_status(&rig, 0).dma_writes, 65);
	rig_close(&rig);
}

static void write_to_an_interrupt_address_interrupts(void **state)
{
	struct ontb_fabric_host_status status;
	uint64_t bar;

	(void)state;
	open_exercisers();
	bar = rig_place_bar(&rig, 0, RID0, 0);
	rig_enable(&rig, 0, RID0);
	assert_int_equal(dma(bar, rig_msi_addr(1), 0x41, 4), ONTB_EXERCISER_DONE);
	rig_wait(&rig, 0, 0x41, 1);
	assert_int_equal(rig.taken[0].cpu, 1);
	/* Not one doubleword, or not aligned: no message. */
	assert_int_equal(dma(bar, rig_msi_addr(0), 0x42, 8), ONTB_EXERCISER_FAULT);
	assert_int_equal(dma(bar, rig_msi_addr(0), 0x42, 2), ONTB_EXERCISER_FAULT);
	assert_int_equal(dma(bar, rig_msi_addr(0) + 2, 0x42, 4), ONTB_EXERCISER_FAULT);
	/* To a CPU that is not there, and with a vector that is none. */
	assert_int_equal(dma(bar, rig_msi_addr(2), 0x42, 4), ONTB_EXERCISER_DONE);
	assert_int_equal(dma(bar, rig_msi_addr(0), 0x0f, 4), ONTB_EXERCISER_DONE);
	status = rig_status(&rig, 0);
	assert_int_equal(status.messages, 1);
	assert_int_equal(status.dropped, 5);
	assert_int_equal(status.dma_writes, 0);
	assert_int_equal(rig_count(&rig, 0, 0x42), 0);
	rig_close(&rig);
}

static void reset_of_a_function_forgets_everything(void **state)
{
	unsigned int cap;
	uint64_t bar;

	(void)state;
	open_exercisers();
	bar = rig_place_bar(&rig, 0, RID0, 0);
	rig_enable(&rig, 0, RID0);
	rig_arm_msix(&rig, 0, RID0, bar, ONTB_EXERCISER_REG_MSIX_TABLE, 0, rig_msi_addr(0), 0x50);
	rig_write(&rig, 0, bar + ONTB_EXERCISER_REG_SCRATCH, 0x1234, 4);
	cap = rig_cap(&rig, 0, RID0, 0x10);
	assert_true(rig_cfg(&rig, 0, RID0, cap + 4, 4) & 0x10000000);
	rig_set_cfg(&rig, 0, RID0, cap + 8, 0x8000, 2);
	assert_int_equal(rig_cfg(&rig, 0, RID0, 4, 2), 0);
	assert_int_equal(rig_cfg(&rig, 0, RID0, 0x10, 4), 4);
	assert_int_equal(rig_cfg(&rig, 0, RID0, rig_cap(&rig, 0, RID0, 0x11) + 2, 2), 15);
	assert_true(rig_read(&rig, 0, bar, 4) == 0xffffffff);
	rig_set_cfg(&rig, 0, RID0, 0x10, (uint32_t)bar, 4);
	rig_enable(&rig, 0, RID0);
	assert_int_equal(rig_read(&rig, 0, bar + ONTB_EXERCISER_REG_SCRATCH, 4), 0);
	assert_int_equal(rig_read(&rig, 0, bar + ONTB_EXERCISER_REG_MSIX_TABLE, 8), 0);
	assert_int_equal(rig_read(&rig, 0, bar + ONTB_EXERCISER_REG_MSIX_TABLE + 12, 4), 1);
	rig_close(&rig);
}

static void function_of_the_caller_finds_a_place(void **state)
{
	const struct ontb_exerciser_config config = { .nr_msi = 1, .nr_msix = 0 };
	struct ontb_exerciser *ex;
	uint16_t rid = 0;
	uint64_t bar;

	(void)state;
	assert_int_equal(ontb_exerciser_new(&config, &ex), 0);
	open_exercisers();
	assert_int_equal(ontb_fabric_add_func(rig.fabric, 1, ontb_exerciser_func(ex), &rid), -ERANGE);
	assert_int_equal(ontb_fabric_add_func(rig.fabric, 0, ontb_exerciser_func(ex), &rid), 0);
	assert_int_equal(rid, ONTB_RID(0, 4, 0));
	assert_int_equal(ontb_fabric_add_func(rig.fabric, 0, ontb_exerciser_func(ex), &rid), -EBUSY);
	bar = rig_place_bar(&rig, 0, rid, 0);
	rig_enable(&rig, 0, rid);
	assert_int_equal(rig_read(&rig, 0, bar + ONTB_EXERCISER_REG_VECTORS, 4), 1);
	rig_close(&rig);
	ontb_exerciser_free(ex);
}

static void bus_holds_thirty_functions(void **state)
{
	const struct ontb_exerciser_config config = { .nr_msi = 1, .nr_msix = 0 };
	struct ontb_exerciser *ex[31];
	uint16_t rid = 0;

	(void)state;
	rig_open(&rig, "host a", false, 1);
	for (unsigned int i = 0; i < 31; i++) {
		assert_int_equal(ontb_exerciser_new(&config, &ex[i]), 0);
		assert_int_equal(ontb_fabric_add_func(rig.fabric, 0, ontb_exerciser_func(ex[i]), i % 2 ? NULL : &rid),
				 i < 30 ? 0 : -ENOSPC);
	}
	assert_int_equal(rid, ONTB_RID(0, 30, 0));
	assert_int_equal(rig_cfg(&rig, 0, ONTB_RID(0, 31, 0), 0, 2), ONTB_EXERCISER_VENDOR);
	rig_close(&rig);
	for (unsigned int i = 0; i < 31; i++)
		ontb_exerciser_free(ex[i]);
}

static void describe_nonsense(struct ontb_func *func, struct ontb_func_info *info)
{
	(void)func;
	*info = (struct ontb_func_info){ .bars = { { .size = 24 } }, .config_size = 256, .nr_vectors = 1 };
}

static void function_that_makes_no_sense_is_refused(void **state)
{
	const struct ontb_func_ops ops = { .describe = describe_nonsense };
	struct ontb_func func = { .ops = &ops };

	(void)state;
	rig_open(&rig, "host a", false, 1);
	assert_int_equal(ontb_fabric_add_func(rig.fabric, 0, &func, NULL), -EINVAL);
	rig_close(&rig);
}

static void exerciser_says_what_it_refuses(void **state)
{
	static const struct ontb_exerciser_config bad[] = { { 0, 0 }, { 3, 1 }, { 64, 1 }, { 1, 2049 } };
	struct ontb_exerciser *ex = NULL;

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(ontb_exerciser_new(&bad[i], &ex), -EINVAL);
	assert_null(ex);
	ontb_exerciser_free(NULL);
	ontb_fabric_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(description_is_what_is_built),
		cmocka_unit_test(wrong_description_is_explained),
		cmocka_unit_test(memory_is_a_file),
		cmocka_unit_test(nobody_who_has_the_file_can_take_the_memory_away),
		cmocka_unit_test(nothing_answers_with_all_ones_and_is_counted),
		cmocka_unit_test(functions_are_found_by_requester_id),
		cmocka_unit_test(bar_answers_where_it_is_and_only_while_it_decodes),
		cmocka_unit_test(bar_registers_say_what_they_are),
		cmocka_unit_test(larger_bars_go_above_4_gib),
		cmocka_unit_test(writes_of_a_function_reach_memory_and_nothing_else),
		cmocka_unit_test(write_to_an_interrupt_address_interrupts),
		cmocka_unit_test(reset_of_a_function_forgets_everything),
		cmocka_unit_test(function_of_the_caller_finds_a_place),
		cmocka_unit_test(bus_holds_thirty_functions),
		cmocka_unit_test(function_that_makes_no_sense_is_refused),
		cmocka_unit_test(exerciser_says_what_it_refuses),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
