// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Eight hosts at once, each with a thread, doing everything that hosts do, and a ninth thread that watches. Run under
 * ThreadSanitizer it finds races; run by itself it checks that no host is reached after it left.
 */
#include "hw_rig.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hw/switchtec/regs.h"

#define NR_HOSTS  8
#define NR_ROUNDS 2000
#define BATCH	  16
#define IN_STEP	  50 /* rounds after which the hosts wait for each other, so that they stay at work together */

/**
 * struct host_thread - a host and its thread
 * @rig:     Common to all.
 * @port:    Port.
 * @seed:    State of its random numbers.
 * @is_here: Attached: nobody may call its host operations otherwise.
 * @nr_late: Calls that came while it was not.
 * @locked:  How often it got the lock of a block.
 */
struct host_thread {
	pthread_t id;
	struct rig *rig;
	unsigned int port;
	uint64_t seed;
	_Atomic bool is_here;
	_Atomic unsigned int nr_late;
	unsigned int locked;
};

static struct host_thread hosts[NR_HOSTS];
static _Atomic bool stop;
static pthread_barrier_t in_step;

static void check_here(struct host_thread *host)
{
	if (!atomic_load(&host->is_here))
		atomic_fetch_add(&host->nr_late, 1);
}

static struct rig_host *rig_host_of(const struct host_thread *host)
{
	return &host->rig->hosts[host->port];
}

static int mem_write(void *arg, unsigned int source, uint64_t addr, const void *buf, size_t len)
{
	check_here(arg);
	return rig_host_ops.mem_write(rig_host_of(arg), source, addr, buf, len);
}

static int mem_read(void *arg, uint64_t addr, struct ontb_read *read)
{
	check_here(arg);
	return rig_host_ops.mem_read(rig_host_of(arg), addr, read);
}

static void raise_vector(void *arg, unsigned int vector)
{
	check_here(arg);
	rig_host_ops.raise_vector(rig_host_of(arg), vector);
}

static void clear_vectors(void *arg)
{
	rig_host_ops.clear_vectors(rig_host_of(arg));
}

static bool vector_pending(void *arg, unsigned int vector)
{
	check_here(arg);
	return rig_host_ops.vector_pending(rig_host_of(arg), vector);
}

static const struct ontb_host_ops thread_ops = {
	.mem_write = mem_write,
	.mem_read = mem_read,
	.raise_vector = raise_vector,
	.clear_vectors = clear_vectors,
	.vector_pending = vector_pending,
};

static uint64_t next_random(struct host_thread *host)
{
	host->seed ^= host->seed << 13;
	host->seed ^= host->seed >> 7;
	host->seed ^= host->seed << 17;
	return host->seed;
}

static void attach_host(struct host_thread *host)
{
	struct ontb_func *func = rig_func(host->rig, host->port);

	atomic_store(&host->is_here, true);
	if (func->ops->attach(func, &thread_ops, host))
		abort();
	rig_enable(host->rig, host->port);
	rig_setup_dbmsg(host->rig, host->port);
	w64(host->rig, host->port, ontb_sw_dbmsg(host->port) + 0x1018, UINT64_MAX);
}

static void detach_host(struct host_thread *host)
{
	rig_detach(host->rig, host->port);
	atomic_store(&host->is_here, false);
}

/* The peer may hold the lock: then this host gives up its place, as a driver whose wait is interrupted does. */
static void open_windows(struct host_thread *host)
{
	unsigned int port = host->port, peer = port ^ 1;
	uint64_t ctrl = ontb_sw_ctrl(peer), addr = RIG_RAM_BASE + (next_random(host) & 0xff0000);

	if (rig_lock(host->rig, port, peer) != 2) {
		w32(host->rig, port, ctrl + 4, 3);
		return;
	}
	host->locked++;
	w32(host->rig, port, ctrl + ONTB_SW_CTRL_BAR_CTL(2), 0x21 | 16 << 8 | 31 << 14);
	w64(host->rig, port, ctrl + ONTB_SW_CTRL_LUT(next_random(host) % 32),
	    addr | port << 1 | (next_random(host) & 1));
	w32(host->rig, port, ctrl + ONTB_SW_CTRL_BAR_CTL(4), 0x11);
	w32(host->rig, port, ctrl + ONTB_SW_CTRL_BAR_SIZE(4), 0x10010);
	w32(host->rig, port, ctrl + ONTB_SW_CTRL_BAR_EXT(4), 0);
	w64(host->rig, port, ctrl + ONTB_SW_CTRL_BAR_XLATE(4), RIG_RAM_BASE | port);
	(void)rig_commit(host->rig, port, peer);
}

/* A batch as a carrier runs it: one entry, many accesses. */
static void use_windows(struct host_thread *host)
{
	struct ontb_func *func = rig_func(host->rig, host->port);
	uint8_t buf[64] = { 0 };

	func->ops->enter(func);
	for (unsigned int i = 0; i < BATCH; i++) {
		struct ontb_read read = { .buf = buf,
					  .len = 1 + next_random(host) % sizeof(buf),
					  .source = host->port };
		unsigned int bar = next_random(host) & 1 ? 2 : 4;
		uint64_t offset = next_random(host) % ((2 << 20) - sizeof(buf));

		if (next_random(host) & 1)
			offset %= 0x20000;
		if (next_random(host) & 1)
			(void)func->ops->bar_write(func, bar, offset, buf, read.len);
		else
			(void)func->ops->bar_read(func, bar, offset, &read);
	}
	func->ops->leave(func);
}

static void use_registers(struct host_thread *host)
{
	unsigned int port = host->port, peer = port ^ 1;
	uint64_t dbmsg = ontb_sw_dbmsg(port);

	w64(host->rig, port, dbmsg + 0x1000, next_random(host));
	w64(host->rig, port, dbmsg + 0x1010, next_random(host));
	w64(host->rig, port, dbmsg + 0x1018, next_random(host) | 1);
	w8(host->rig, port, dbmsg + 0x1020 + next_random(host) % 60, (uint8_t)(next_random(host) % 5));
	w32(host->rig, port, dbmsg + 0x1068 + 8 * (next_random(host) % 4), (uint32_t)next_random(host));
	w8(host->rig, port, dbmsg + 0x1088 + 4, 1);
	(void)r64(host->rig, port, dbmsg + 0x1088);
	(void)r64(host->rig, port, ontb_sw_dbmsg(peer) + 0x1010);
	w32(host->rig, port, 0x800, 65);
	w32(host->rig, port, ontb_sw_pff(2 * peer + 1) + 0xd30, 0x9);
	(void)r64(host->rig, port, 0x1810);
	w32(host->rig, port, ontb_sw_pff(2 * peer) + 4, (uint32_t)next_random(host));
	(void)r64(host->rig, port, dbmsg + 0x3000);
	(void)rig_read(host->rig, port, 0, next_random(host) % 0x140000, 8);
}

static void *run_host(void *arg)
{
	struct host_thread *host = arg;

	for (unsigned int i = 0; i < NR_ROUNDS; i++) {
		if (!(i % IN_STEP))
			(void)pthread_barrier_wait(&in_step);
		switch (next_random(host) % 32) {
		case 0:
			detach_host(host);
			attach_host(host);
			break;
		case 1:
			rig_reset(host->rig, host->port);
			rig_enable(host->rig, host->port);
			break;
		case 2:
			rig_set_command(host->rig, host->port, next_random(host) & 1 ? 2 : 6);
			break;
		case 3 ... 8:
			open_windows(host);
			break;
		case 9 ... 16:
			use_registers(host);
			break;
		default:
			use_windows(host);
			break;
		}
	}
	detach_host(host);
	return NULL;
}

static void *watch(void *arg)
{
	struct ontb_window_status windows[64];
	struct rig *rig = arg;

	while (!atomic_load(&stop)) {
		for (unsigned int p = 0; p < NR_HOSTS; p++) {
			struct ontb_port_status status;

			(void)ontb_bridge_port_status(rig->bridge, p, &status);
			(void)ontb_bridge_windows(rig->bridge, p, windows, ONTB_ARRAY_SIZE(windows));
		}
		(void)ontb_bridge_run_timers(rig->bridge, ontb_clock_ns());
	}
	return NULL;
}

static void note_wake(void *arg, uint64_t deadline_ns)
{
	atomic_store((_Atomic uint64_t *)arg, deadline_ns);
}

static void eight_hosts_under_load_stay_apart(void **state)
{
	struct ontb_switchtec_config config;
	_Atomic uint64_t deadline = 0;
	struct ontb_bridge *bridge;
	unsigned int nr_locked = 0;
	pthread_t watcher;
	struct rig rig;

	(void)state;
	ontb_switchtec_config_init(&config);
	config.nr_ports = NR_HOSTS;
	config.hold_doorbells_after_message_ns = 100000;
	config.wake = note_wake;
	config.wake_arg = &deadline;
	assert_int_equal(ontb_switchtec_new(&config, &bridge), 0);
	rig_adopt(&rig, bridge);
	rig_log_start();
	for (unsigned int p = 0; p < NR_HOSTS; p++) {
		hosts[p] = (struct host_thread){ .rig = &rig, .port = p, .seed = 0x1234567 + 77 * p };
		attach_host(&hosts[p]);
	}
	atomic_store(&stop, false);
	assert_int_equal(pthread_barrier_init(&in_step, NULL, NR_HOSTS), 0);
	assert_int_equal(pthread_create(&watcher, NULL, watch, &rig), 0);
	for (unsigned int p = 0; p < NR_HOSTS; p++)
		assert_int_equal(pthread_create(&hosts[p].id, NULL, run_host, &hosts[p]), 0);
	for (unsigned int p = 0; p < NR_HOSTS; p++)
		assert_int_equal(pthread_join(hosts[p].id, NULL), 0);
	atomic_store(&stop, true);
	assert_int_equal(pthread_join(watcher, NULL), 0);
	assert_int_equal(pthread_barrier_destroy(&in_step), 0);
	rig_log_stop();
	for (unsigned int p = 0; p < NR_HOSTS; p++) {
		assert_int_equal(atomic_load(&hosts[p].nr_late), 0);
		assert_int_equal(rig_status(&rig, p).nr_windows, 0);
		assert_true(rig_status(&rig, p).window_writes + rig_status(&rig, p).window_reads > 0);
		nr_locked += hosts[p].locked;
	}
	assert_true(nr_locked > NR_HOSTS);
	assert_true(atomic_load(&deadline) > 0);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eight_hosts_under_load_stay_apart),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
