// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * What any bridge does, with a model that has nothing but storage: so nothing of this depends on the Switchtec.
 */
#include "hw_rig.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "hw/bridge/link.h"

#define BAR_SIZE 0x100000ULL
#define SLOT	 0x1000
#define NR_SLOTS 16
#define ALL_ONES UINT64_MAX

static struct ontb_bridge bridge;
static uint8_t registers[4096];
static unsigned int nr_lost, nr_changed, nr_freed;

static void reg_read(struct ontb_port *port, uint64_t offset, void *buf, size_t len)
{
	(void)port;
	memcpy(buf, registers + offset, len);
}

static void reg_write(struct ontb_port *port, uint64_t offset, const void *buf, size_t len)
{
	(void)port;
	memcpy(registers + offset, buf, len);
}

static bool reg_name(uint64_t offset, char *buf, size_t len)
{
	(void)offset;
	(void)snprintf(buf, len, "storage");
	return true;
}

static void host_lost(struct ontb_port *port)
{
	(void)port;
	nr_lost++;
}

static void host_changed(struct ontb_port *port)
{
	(void)port;
	nr_changed++;
}

static void free_bridge(struct ontb_bridge *b)
{
	ontb_bridge_fini(b);
	nr_freed++;
}

static const struct ontb_model_ops storage_ops = {
	.name = "storage",
	.reg_read = reg_read,
	.reg_write = reg_write,
	.reg_name = reg_name,
	.host_lost = host_lost,
	.host_changed = host_changed,
	.free = free_bridge,
};

static void open_bridge(struct rig *rig)
{
	static const struct ontb_port_config port_config = {
		.ids = { .vendor = 0x1234, .device = 0x5678, .class_code = 0x068000, .link_speed = 1, .link_width = 1 },
		.bars = { [0] = { .size = 4096 }, [2] = { .size = BAR_SIZE, .is_64bit = true } },
		.reg_bar = 0,
		.msix = { .nr_vectors = 8, .table = 0, .pba = 0x800 },
	};
	struct ontb_bridge_config config = { .nr_ports = 4 };

	nr_lost = nr_changed = nr_freed = 0;
	assert_int_equal(ontb_bridge_init(&bridge, &storage_ops, &config), 0);
	for (unsigned int p = 0; p < 4; p++) {
		struct ontb_bar *bar;

		ontb_port_init(&bridge.ports[p], &bridge, p, p ^ 1, &port_config);
		bar = &bridge.ports[p].bars[2];
		bar->nr_apertures = 2;
		assert_int_equal(ontb_aperture_init(&bar->apertures[0], NR_SLOTS, true), 0);
		assert_int_equal(ontb_aperture_init(&bar->apertures[1], 1, false), 0);
	}
	rig_adopt(rig, &bridge);
	for (unsigned int p = 0; p < 4; p++) {
		rig_attach(rig, p);
		rig_enable(rig, p);
	}
}

struct placement {
	unsigned int port;
	unsigned int aperture;
	uint64_t start;
	unsigned int shift;
	uint64_t nr_slots;
	int ret;
};

static void place_exclusive(void *arg)
{
	struct placement *p = arg;
	struct ontb_bar *bar = &bridge.ports[p->port].bars[2];

	p->ret = ontb_aperture_place(bar, &bar->apertures[p->aperture], p->start, p->shift, p->nr_slots);
}

static int place(unsigned int port, unsigned int aperture, uint64_t start, unsigned int shift, uint64_t nr_slots)
{
	struct placement p = { port, aperture, start, shift, nr_slots, 0 };
	struct ontb_func *func = &bridge.ports[port].func;

	func->ops->exclusive(func, place_exclusive, &p);
	return p.ret;
}

struct opening {
	unsigned int port;
	unsigned int aperture;
	uint64_t slot;
	unsigned int target;
	uint64_t addr;
	uint64_t size;
	const char *why;
	int ret;
};

static void open_exclusive(void *arg)
{
	struct opening *o = arg;
	struct ontb_bar *bar = &bridge.ports[o->port].bars[2];
	struct ontb_port *target = o->target < 4 ? &bridge.ports[o->target] : NULL;

	o->ret = ontb_aperture_open(&bridge.ports[o->port], bar, &bar->apertures[o->aperture], o->slot, target, o->addr,
				    o->size, &o->why);
}

static int open_slot(unsigned int port, unsigned int aperture, uint64_t slot, unsigned int target, uint64_t addr,
		     uint64_t size)
{
	struct opening o = { port, aperture, slot, target, addr, size, NULL, 0 };
	struct ontb_func *func = &bridge.ports[port].func;

	func->ops->exclusive(func, open_exclusive, &o);
	assert_true(!o.ret == !o.why);
	return o.ret;
}

static uint64_t ram_word(unsigned int port, uint64_t offset)
{
	return (uint64_t)port << 56 | offset;
}

static void slots_go_to_different_hosts(void **state)
{
	struct rig rig;

	(void)state;
	open_bridge(&rig);
	assert_int_equal(place(0, 0, 0, 12, NR_SLOTS), 0);
	for (unsigned int s = 0; s < NR_SLOTS; s++)
		assert_int_equal(open_slot(0, 0, s, 1 + s % 3, RIG_RAM_BASE + 0x100 * s, SLOT), 0);
	for (unsigned int s = 0; s < NR_SLOTS; s++)
		assert_true(rig_read(&rig, 0, 2, SLOT * s + 8, 8) == ram_word(1 + s % 3, 0x100 * s + 8));
	rig_close(&rig);
	assert_int_equal(nr_freed, 1);
	assert_int_equal(nr_lost, 4);
	assert_int_equal(nr_changed, 8);
}

static void access_over_many_slots_is_cut_at_each(void **state)
{
	uint8_t buf[4 * SLOT], expected[4 * SLOT];
	struct ontb_read read = { .buf = buf, .len = sizeof(buf) };
	struct ontb_func *func = NULL;
	struct rig rig;

	(void)state;
	open_bridge(&rig);
	place(0, 0, 0, 12, NR_SLOTS);
	open_slot(0, 0, 0, 1, RIG_RAM_BASE + 0x1000, SLOT);
	open_slot(0, 0, 1, 2, RIG_RAM_BASE + 0x2000, 0x800);
	open_slot(0, 0, 3, 3, RIG_RAM_BASE + 0x3000, SLOT);
	memset(expected, 0xff, sizeof(expected));
	memcpy(expected, rig.hosts[1].ram + 0x1000 + 0x20, SLOT - 0x20);
	memcpy(expected + SLOT - 0x20, rig.hosts[2].ram + 0x2000, 0x800);
	memcpy(expected + 3 * SLOT - 0x20, rig.hosts[3].ram + 0x3000, SLOT);
	func = rig_func(&rig, 0);
	func->ops->enter(func);
	assert_int_equal(func->ops->bar_read(func, 2, 0x20, &read), 0);
	assert_memory_equal(buf, expected, sizeof(buf));
	memset(buf, 0xa5, sizeof(buf));
	assert_int_equal(func->ops->bar_write(func, 2, 0x20, buf, sizeof(buf)), 0);
	func->ops->leave(func);
	assert_int_equal(rig.hosts[1].ram[0x101f], 1);
	assert_int_equal(rig.hosts[1].ram[0x1020], 0xa5);
	assert_int_equal(rig.hosts[1].ram[0x1fff], 0xa5);
	assert_true(ontb_get_le64(rig.hosts[1].ram + 0x2000) == ram_word(1, 0x2000));
	assert_int_equal(rig.hosts[2].ram[0x27ff], 0xa5);
	assert_true(ontb_get_le64(rig.hosts[2].ram + 0x2800) == ram_word(2, 0x2800));
	assert_int_equal(rig.hosts[3].ram[0x3fff], 0xa5);
	rig_close(&rig);
}

static void apertures_that_do_not_fit_are_refused(void **state)
{
	struct rig rig;

	(void)state;
	open_bridge(&rig);
	assert_int_equal(place(0, 0, 0, 12, NR_SLOTS + 1), -ERANGE);
	assert_int_equal(place(0, 0, BAR_SIZE, 12, 1), -ERANGE);
	assert_int_equal(place(0, 0, BAR_SIZE - SLOT, 12, 2), -ERANGE);
	assert_int_equal(place(0, 0, 0, 17, NR_SLOTS), -ERANGE);
	assert_int_equal(place(0, 0, 0, 64, 1), -ERANGE);
	assert_int_equal(place(0, 1, 0, ONTB_APERTURE_WHOLE, 2), -ERANGE);
	assert_int_equal(place(0, 0, 0, 16, NR_SLOTS), 0);
	assert_int_equal(place(0, 1, BAR_SIZE - 1, ONTB_APERTURE_WHOLE, 1), 0);
	assert_int_equal(open_slot(0, 0, NR_SLOTS, 1, 0, 1), -EINVAL);
	assert_int_equal(open_slot(0, 0, 0, 0, 0, 1), -EINVAL);
	assert_int_equal(open_slot(0, 0, 0, 4, 0, 1), -EINVAL);
	assert_int_equal(open_slot(0, 0, 0, 1, 0, 0), -EINVAL);
	assert_int_equal(open_slot(0, 0, 0, 1, 0, 0x10001), -EINVAL);
	assert_int_equal(open_slot(0, 0, 0, 1, UINT64_MAX - 1, 3), -EINVAL);
	assert_int_equal(open_slot(0, 0, 0, 1, UINT64_MAX - 1, 2), 0);
	assert_int_equal(open_slot(0, 1, 0, 1, 0, 2), -EINVAL);
	assert_int_equal(open_slot(0, 1, 0, 1, 0, 1), 0);
	/* A refusal closes what was open there. */
	assert_int_equal(open_slot(0, 1, 0, 1, 0, 2), -EINVAL);
	assert_int_equal(rig_status(&rig, 0).nr_windows, 1);
	rig_detach(&rig, 1);
	assert_int_equal(open_slot(0, 0, 1, 1, 0, 1), -EINVAL);
	rig_close(&rig);
}

static void gap_before_an_aperture_is_closed(void **state)
{
	struct rig rig;

	(void)state;
	open_bridge(&rig);
	place(0, 0, 0x4000, 12, 2);
	place(0, 1, 0x8000, ONTB_APERTURE_WHOLE, 1);
	open_slot(0, 0, 0, 1, RIG_RAM_BASE, SLOT);
	open_slot(0, 1, 0, 1, RIG_RAM_BASE + 0x10000, BAR_SIZE - 0x8000);
	assert_true(rig_read(&rig, 0, 2, 0, 8) == ALL_ONES);
	assert_true(rig_read(&rig, 0, 2, 0x3ffc, 8) == 0x00000000ffffffffULL);
	assert_true(rig_read(&rig, 0, 2, 0x4008, 8) == ram_word(1, 8));
	assert_true(rig_read(&rig, 0, 2, 0x5000, 8) == ALL_ONES);
	assert_true(rig_read(&rig, 0, 2, 0x7ffc, 8) == 0x00010000ffffffffULL);
	assert_true(rig_read(&rig, 0, 2, BAR_SIZE - 8, 8) == ram_word(1, 0x10000 + BAR_SIZE - 0x8000 - 8));
	rig_close(&rig);
}

struct waiter {
	struct ontb_read read;
	uint8_t buf[3 * SLOT];
	unsigned int nr_done;
	int status;
};

static void waiter_done(struct ontb_read *read, int status)
{
	struct waiter *w = ontb_container_of(read, struct waiter, read);

	w->nr_done++;
	w->status = status;
}

static int start_read(struct rig *rig, struct waiter *w, uint64_t offset, size_t len)
{
	struct ontb_func *func = rig_func(rig, 0);
	int ret;

	memset(w, 0, sizeof(*w));
	w->read = (struct ontb_read){ .buf = w->buf, .len = len, .source = 0, .done = waiter_done };
	func->ops->enter(func);
	ret = func->ops->bar_read(func, 2, offset, &w->read);
	func->ops->leave(func);
	return ret;
}

static void read_that_waits_completes_later(void **state)
{
	static struct waiter w;
	struct rig rig;

	(void)state;
	open_bridge(&rig);
	place(0, 0, 0, 12, NR_SLOTS);
	open_slot(0, 0, 0, 1, RIG_RAM_BASE, SLOT);
	rig.hosts[1].defer = true;
	assert_int_equal(start_read(&rig, &w, 8, 16), -EINPROGRESS);
	assert_int_equal(w.nr_done, 0);
	assert_int_equal(rig.hosts[1].deferred[0]->source, 0);
	rig_complete(&rig.hosts[1], 0);
	assert_int_equal(w.nr_done, 1);
	assert_int_equal(w.status, 0);
	assert_true(ontb_get_le64(w.buf) == ram_word(1, 8));
	/* An error goes to the reader, who answers all ones. */
	assert_int_equal(start_read(&rig, &w, 8, 16), -EINPROGRESS);
	rig_complete(&rig.hosts[1], -ETIMEDOUT);
	assert_int_equal(w.nr_done, 1);
	assert_int_equal(w.status, -ETIMEDOUT);
	rig_close(&rig);
}

static void read_over_slots_waits_for_all_its_pieces(void **state)
{
	static struct waiter w;
	struct rig rig;

	(void)state;
	open_bridge(&rig);
	place(0, 0, 0, 12, NR_SLOTS);
	open_slot(0, 0, 0, 1, RIG_RAM_BASE, SLOT);
	open_slot(0, 0, 1, 2, RIG_RAM_BASE, SLOT);
	open_slot(0, 0, 2, 3, RIG_RAM_BASE, SLOT);
	rig.hosts[1].defer = rig.hosts[3].defer = true;
	assert_int_equal(start_read(&rig, &w, 0, 3 * SLOT), -EINPROGRESS);
	rig_complete(&rig.hosts[3], 0);
	assert_int_equal(w.nr_done, 0);
	rig_complete(&rig.hosts[1], -ETIMEDOUT);
	assert_int_equal(w.nr_done, 1);
	/* The piece that failed is all ones, the others are there. */
	assert_int_equal(w.status, 0);
	assert_true(ontb_get_le64(w.buf) == ALL_ONES && ontb_get_le64(w.buf + SLOT - 8) == ALL_ONES);
	assert_true(ontb_get_le64(w.buf + SLOT) == ram_word(2, 0));
	assert_true(ontb_get_le64(w.buf + 2 * SLOT + 8) == ram_word(3, 8));
	rig_close(&rig);
}

static void errors_of_the_target_are_counted_by_kind(void **state)
{
	struct ontb_port_status status;
	struct rig rig;

	(void)state;
	open_bridge(&rig);
	place(0, 0, 0, 12, NR_SLOTS);
	open_slot(0, 0, 0, 1, RIG_RAM_BASE, SLOT);
	rig.hosts[1].write_err = -ENOBUFS;
	rig_write(&rig, 0, 2, 0, 1, 4);
	assert_int_equal(rig_status(&rig, 0).dropped, 1);
	rig.hosts[1].write_err = -EFAULT;
	rig_write(&rig, 0, 2, 0, 1, 4);
	assert_int_equal(rig_status(&rig, 0).unsupported, 1);
	rig.hosts[1].read_err = -EDEADLK;
	assert_true(rig_read(&rig, 0, 2, 0, 4) == 0xffffffff);
	assert_non_null(strstr(rig_status(&rig, 0).last_error, "circle of waiting hosts"));
	rig_set_command(&rig, 1, 2);
	rig_write(&rig, 0, 2, 0, 1, 4);
	assert_int_equal(rig_status(&rig, 1).gated, 1);
	status = rig_status(&rig, 0);
	assert_int_equal(status.unsupported, 2);
	assert_int_equal(status.window_writes + status.window_reads, 0);
	assert_int_equal(rig_status(&rig, 1).unsupported, 0);
	rig_close(&rig);
}

static void counters_count_what_was_done(void **state)
{
	struct ontb_port_status status;
	struct rig rig;

	(void)state;
	open_bridge(&rig);
	place(0, 0, 0, 12, NR_SLOTS);
	open_slot(0, 0, 0, 1, RIG_RAM_BASE, SLOT);
	for (unsigned int i = 0; i < 10; i++)
		rig_write(&rig, 0, 2, 8 * i, i, 8);
	for (unsigned int i = 0; i < 5; i++)
		(void)rig_read(&rig, 0, 2, 4 * i, 4);
	rig_write(&rig, 0, 0, 0x100, 0x77, 4);
	assert_int_equal(rig_read(&rig, 0, 0, 0x100, 4), 0x77);
	status = rig_status(&rig, 0);
	assert_int_equal(status.window_writes, 10);
	assert_int_equal(status.window_reads, 5);
	assert_int_equal(status.window_bytes, 100);
	assert_int_equal(status.reg_writes, 1);
	assert_int_equal(status.reg_reads, 1);
	assert_int_equal(status.peer_idx, 1);
	assert_int_equal(ontb_bridge_port_status(&bridge, 4, &status), -ERANGE);
	rig_close(&rig);
}

static void closing_into_a_host_spares_the_others(void **state)
{
	struct rig rig;

	(void)state;
	open_bridge(&rig);
	for (unsigned int p = 0; p < 3; p++) {
		place(p, 0, 0, 12, NR_SLOTS);
		open_slot(p, 0, 0, 3, RIG_RAM_BASE, SLOT);
		open_slot(p, 0, 1, (p + 1) % 3, RIG_RAM_BASE, SLOT);
	}
	rig_detach(&rig, 3);
	for (unsigned int p = 0; p < 3; p++) {
		assert_true(rig_read(&rig, p, 2, 0, 8) == ALL_ONES);
		assert_true(rig_read(&rig, p, 2, SLOT, 8) == ram_word((p + 1) % 3, 0));
	}
	assert_int_equal(rig.hosts[3].nr_reads, 0);
	rig_close(&rig);
}

static void link_needs_both_hosts_and_both_drivers(void **state)
{
	struct rig rig;

	(void)state;
	open_bridge(&rig);
	ontb_link_set_ready(&bridge.ports[0], true);
	assert_false(rig_status(&rig, 0).link_up);
	ontb_link_set_ready(&bridge.ports[1], true);
	assert_true(rig_status(&rig, 0).link_up);
	assert_true(rig_status(&rig, 1).link_up);
	assert_false(rig_status(&rig, 2).link_up);
	rig_detach(&rig, 1);
	assert_false(rig_status(&rig, 0).link_up);
	rig_attach(&rig, 1);
	assert_false(rig_status(&rig, 0).link_up);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_go_to_different_hosts),
		cmocka_unit_test(access_over_many_slots_is_cut_at_each),
		cmocka_unit_test(apertures_that_do_not_fit_are_refused),
		cmocka_unit_test(gap_before_an_aperture_is_closed),
		cmocka_unit_test(read_that_waits_completes_later),
		cmocka_unit_test(read_over_slots_waits_for_all_its_pieces),
		cmocka_unit_test(errors_of_the_target_are_counted_by_kind),
		cmocka_unit_test(counters_count_what_was_done),
		cmocka_unit_test(closing_into_a_host_spares_the_others),
		cmocka_unit_test(link_needs_both_hosts_and_both_drivers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
