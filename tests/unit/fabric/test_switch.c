// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Two machines and a switch between them: doorbells, windows, interrupts through windows, and hosts that come and go.
 */
#include "rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openntb/trace.h>

#include "hw/switchtec/regs.h"

#define RID ONTB_RID(0, 2, 0)

static struct rig rig;
static struct rig_switch a, b;

static void open_pair(void)
{
	rig_open(&rig, "host a cpus=2; host b cpus=2; bridge switchtec a b", true, 1);
	rig_open_switch(&rig, &a, 0, 0, RID);
	rig_open_switch(&rig, &b, 1, 1, RID);
}

static uint64_t msix_table(const struct rig_switch *sw)
{
	return ontb_sw_dbmsg(sw->port) + ONTB_SW_MSIX_TABLE;
}

static void doorbell_becomes_a_vector_of_the_other_host(void **state)
{
	(void)state;
	open_pair();
	rig_setup_doorbell(&a);
	rig_setup_doorbell(&b);
	rig_arm_msix(&rig, 1, RID, b.bar0, msix_table(&b), 1, rig_msi_addr(1), 0x51);
	rig_ring(&a, 1ULL << 32);
	rig_run(&rig);
	assert_int_equal(rig.nr_taken, 1);
	assert_int_equal(rig.taken[0].host, 1);
	assert_int_equal(rig.taken[0].cpu, 1);
	assert_int_equal(rig.taken[0].vector, 0x51);
	/* The table belongs to the host's bus: the model never saw it, the other host sees none of it. */
	assert_true(rig_read(&rig, 1, b.bar0 + msix_table(&b) + 16, 8) == rig_msi_addr(1));
	assert_true(rig_read(&rig, 0, a.bar0 + msix_table(&b) + 16, 8) == 0);
	rig_close(&rig);
}

static void window_leads_into_the_memory_of_the_other_host(void **state)
{
	struct ontb_machine *m;
	uint8_t out[1000], in[1000];

	(void)state;
	open_pair();
	m = rig.hosts[0].m;
	rig_open_lut(&b, 3, rig_addr(&rig, 1, 0x10000));
	rig_write(&rig, 0, a.bar2 + 0x30000 + 0x10, 0x1122334455667788, 8);
	assert_memory_equal(rig_ram(&rig, 1, 0x10010), "\x88\x77\x66\x55\x44\x33\x22\x11", 8);
	*rig_ram(&rig, 1, 0x1ffff) = 0x99;
	assert_int_equal(rig_read(&rig, 0, a.bar2 + 0x3ffff, 1), 0x99);
	for (unsigned int i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7);
	m->ops->mmio_copy_to(m, a.bar2 + 0x30103, out, sizeof(out));
	assert_memory_equal(rig_ram(&rig, 1, 0x10103), out, sizeof(out));
	m->ops->mmio_copy_from(m, in, a.bar2 + 0x30103, sizeof(in));
	assert_memory_equal(in, out, sizeof(out));
	/* A window that is closed. */
	assert_true(rig_read(&rig, 0, a.bar2 + 0x20000, 4) == 0xffffffff);
	assert_int_equal(rig_status(&rig, 0).dma_writes, 0);
	assert_true(rig_status(&rig, 1).dma_writes > 0);
	rig_close(&rig);
}

static void interrupt_through_a_window_arrives_as_a_vector(void **state)
{
	(void)state;
	open_pair();
	rig_open_lut(&b, 0, 0xfee00000);
	rig_write(&rig, 0, a.bar2 + (rig_msi_addr(1) & 0xffff), 0x77, 4);
	rig_run(&rig);
	assert_int_equal(rig.nr_taken, 1);
	assert_int_equal(rig.taken[0].host, 1);
	assert_int_equal(rig.taken[0].cpu, 1);
	assert_int_equal(rig.taken[0].vector, 0x77);
	/* The gate is the target's bus mastering. */
	rig_set_cfg(&rig, 1, RID, 4, 2, 2);
	rig_write(&rig, 0, a.bar2 + (rig_msi_addr(1) & 0xffff), 0x78, 4);
	rig_run(&rig);
	assert_int_equal(rig.nr_taken, 1);
	rig_close(&rig);
}

static void interrupt_comes_after_the_data(void **state)
{
	(void)state;
	rig_open(&rig, "host a cpus=1; host b cpus=1; bridge switchtec a b", false, 1);
	rig_open_switch(&rig, &a, 0, 0, RID);
	rig_open_switch(&rig, &b, 1, 1, RID);
	rig_open_lut(&b, 0, 0xfee00000);
	rig_open_lut(&b, 1, rig_addr(&rig, 1, 0));
	for (uint64_t i = 1; i <= 2000; i++) {
		rig_write(&rig, 0, a.bar2 + 0x10000 + 8 * (i % 64), i, 8);
		rig_write(&rig, 0, a.bar2, 0x40, 4);
		rig_wait(&rig, 1, 0x40, (unsigned int)i);
		/* A plain load: the interrupt is all that orders it. */
		assert_true(*(const uint64_t *)(const void *)rig_ram(&rig, 1, 8 * (i % 64)) == i);
	}
	rig_close(&rig);
}

static void unplugged_function_is_gone_for_both_sides(void **state)
{
	struct ontb_port_status status;

	(void)state;
	open_pair();
	rig_open_lut(&b, 0, rig_addr(&rig, 1, 0));
	rig_setup_doorbell(&a);
	rig_setup_doorbell(&b);
	rig_arm_msix(&rig, 1, RID, b.bar0, msix_table(&b), 1, rig_msi_addr(0), 0x51);
	assert_int_equal(ontb_fabric_unplug(rig.fabric, 0, 2), -ERANGE);
	assert_int_equal(ontb_fabric_replug(rig.fabric, 0, 1), -EBUSY);
	assert_int_equal(ontb_fabric_unplug(rig.fabric, 0, 1), 0);
	assert_int_equal(ontb_fabric_unplug(rig.fabric, 0, 1), -ENOLINK);
	assert_int_equal(rig_cfg(&rig, 1, RID, 0, 4), 0xffffffff);
	assert_true(rig_read(&rig, 1, b.bar0 + 0x2000, 4) == 0xffffffff);
	rig_write(&rig, 1, b.bar0 + 0x2000, 1, 4);
	rig_set_cfg(&rig, 1, RID, 4, 6, 2);
	/* Its window is closed, its doorbell lost. */
	assert_true(rig_read(&rig, 0, a.bar2, 4) == 0xffffffff);
	rig_ring(&a, 1ULL << 32);
	rig_run(&rig);
	assert_int_equal(rig.nr_taken, 0);
	assert_int_equal(ontb_bridge_port_status(ontb_fabric_bridge(rig.fabric, 0), 1, &status), 0);
	assert_false(status.attached);
	assert_int_equal(ontb_fabric_replug(rig.fabric, 0, 1), 0);
	assert_int_equal(ontb_fabric_replug(rig.fabric, 0, 1), -EBUSY);
	assert_int_equal(ontb_bridge_port_status(ontb_fabric_bridge(rig.fabric, 0), 1, &status), 0);
	assert_true(status.attached);
	/* It is as new, and works when it is set up again. */
	assert_int_equal(rig_cfg(&rig, 1, RID, 4, 2), 0);
	assert_true(rig_read(&rig, 1, b.bar0 + 0x2000, 4) == 0xffffffff);
	rig_open_switch(&rig, &b, 1, 1, RID);
	assert_int_equal(rig_read(&rig, 1, b.bar0 + msix_table(&b) + 16 + 12, 4), 1);
	rig_setup_doorbell(&b);
	rig_arm_msix(&rig, 1, RID, b.bar0, msix_table(&b), 1, rig_msi_addr(0), 0x52);
	rig_ring(&a, 1ULL << 33);
	rig_run(&rig);
	assert_int_equal(rig_count(&rig, 1, 0x52), 1);
	rig_close(&rig);
}

static void port_may_be_left_to_others(void **state)
{
	struct ontb_port_status status;

	(void)state;
	rig_open(&rig, "host a; bridge switchtec - a a -", true, 1);
	assert_int_equal(ontb_bridge_nr_ports(ontb_fabric_bridge(rig.fabric, 0)), 4);
	assert_int_equal(ontb_fabric_unplug(rig.fabric, 0, 0), -ERANGE);
	assert_int_equal(ontb_fabric_set_way(rig.fabric, 0, 3, &(struct ontb_fabric_way){ 0 }), -ERANGE);
	for (unsigned int p = 0; p < 4; p++) {
		assert_int_equal(ontb_bridge_port_status(ontb_fabric_bridge(rig.fabric, 0), p, &status), 0);
		assert_int_equal(status.attached, p == 1 || p == 2);
	}
	/* Two functions of one host. */
	assert_int_equal(rig_cfg(&rig, 0, ONTB_RID(0, 2, 0), 0, 2), 0x11f8);
	assert_int_equal(rig_cfg(&rig, 0, ONTB_RID(0, 3, 0), 0, 2), 0x11f8);
	rig_close(&rig);
}

static unsigned int count_text(const char *text, const char *what)
{
	unsigned int nr = 0;

	for (; (text = strstr(text, what)); text++)
		nr++;
	return nr;
}

static void what_happens_is_traced(void **state)
{
	char path[] = "/tmp/openntb-fabric-XXXXXX", text[65536];
	struct ontb_fabric_config config = {
		.topology = "host a; host b; bridge switchtec a b; bridge switchtec a b",
		.is_stepped = true,
	};
	struct ontb_trace *trace;
	size_t len;
	FILE *file;
	int fd;

	(void)state;
	memset(&rig, 0, sizeof(rig));
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(ontb_trace_open(path, 2, &trace), 0);
	config.trace = trace;
	assert_int_equal(ontb_fabric_new(&config, NULL, 0, &rig.fabric), 0);
	for (unsigned int h = 0; h < 2; h++) {
		rig.hosts[h].m = ontb_fabric_machine(rig.fabric, h);
		rig.hosts[h].next_bar = rig.hosts[h].m->bar_base;
	}
	rig_open_switch(&rig, &a, 0, 0, RID);
	rig_open_switch(&rig, &b, 1, 1, RID);
	rig_open_lut(&b, 0, rig_addr(&rig, 1, 0));
	rig_write(&rig, 0, a.bar2 + 8, 0xabcdef, 4);
	(void)rig_read(&rig, 0, a.bar2 + 8, 4);
	/* Rows are ports of the first bridge; the second one is silent. */
	(void)rig_cfg(&rig, 0, ONTB_RID(0, 3, 0), 0x40, 4);
	ontb_fabric_free(rig.fabric);
	ontb_trace_close(trace);
	file = fdopen(fd, "r");
	assert_non_null(file);
	len = fread(text, 1, sizeof(text) - 1, file);
	text[len] = '\0';
	assert_int_equal(fclose(file), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(count_text(text, "\"name\":\"window write\""), 1);
	assert_int_equal(count_text(text, "\"name\":\"write\",\"cat\":\"dma\",\"pid\":1,\"tid\":1"), 1);
	assert_int_equal(count_text(text, "\"name\":\"read\",\"cat\":\"dma\",\"pid\":1,\"tid\":1"), 1);
	assert_int_equal(count_text(text, "0xabcdef"), 3);
	assert_int_equal(count_text(text, "config+0x40"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doorbell_becomes_a_vector_of_the_other_host),
		cmocka_unit_test(window_leads_into_the_memory_of_the_other_host),
		cmocka_unit_test(interrupt_through_a_window_arrives_as_a_vector),
		cmocka_unit_test(interrupt_comes_after_the_data),
		cmocka_unit_test(unplugged_function_is_gone_for_both_sides),
		cmocka_unit_test(port_may_be_left_to_others),
		cmocka_unit_test(what_happens_is_traced),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
