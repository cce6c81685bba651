// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The Switchtec driver and a part that says what cannot be: a function that answers like the model, but for some registers.
 */
#include "switchtec_rig.h"

#include <errno.h>
#include <string.h>

#include "base/annotate.h"
#include "base/bytes.h"
#include "hw/switchtec/regs.h"

#define MAX_LIES 8

/**
 * struct lie - bytes of BAR0 that read as something else
 * @offset: First.
 * @len:    How many, 0 for none.
 * @value:  What they read as.
 */
struct lie {
	uint64_t offset;
	unsigned int len;
	uint64_t value;
};

/**
 * struct liar - a function
 * @func: What the host sees.
 * @real: Who answers the rest.
 * @lies: What not to believe.
 */
struct liar {
	struct ontb_func func;
	struct ontb_func *real;
	struct lie lies[MAX_LIES];
};

static struct ontb_func *real_of(struct ontb_func *func)
{
	return ontb_container_of(func, struct liar, func)->real;
}

static void describe(struct ontb_func *func, struct ontb_func_info *info)
{
	real_of(func)->ops->describe(real_of(func), info);
}

static void enter(struct ontb_func *func)
{
	real_of(func)->ops->enter(real_of(func));
}

static void leave(struct ontb_func *func)
{
	real_of(func)->ops->leave(real_of(func));
}

static void exclusive(struct ontb_func *func, void (*fn)(void *arg), void *arg)
{
	real_of(func)->ops->exclusive(real_of(func), fn, arg);
}

static int attach(struct ontb_func *func, const struct ontb_host_ops *ops, void *host)
{
	return real_of(func)->ops->attach(real_of(func), ops, host);
}

static void detach(struct ontb_func *func)
{
	real_of(func)->ops->detach(real_of(func));
}

static void reset(struct ontb_func *func)
{
	real_of(func)->ops->reset(real_of(func));
}

static int config_read(struct ontb_func *func, uint64_t offset, void *buf, size_t len)
{
	return real_of(func)->ops->config_read(real_of(func), offset, buf, len);
}

static int config_write(struct ontb_func *func, uint64_t offset, const void *buf, size_t len)
{
	return real_of(func)->ops->config_write(real_of(func), offset, buf, len);
}

static int bar_read(struct ontb_func *func, unsigned int bar, uint64_t offset, struct ontb_read *read)
{
	const struct liar *liar = ontb_container_of(func, struct liar, func);
	int ret = liar->real->ops->bar_read(liar->real, bar, offset, read);

	if (ret || bar)
		return ret;
	for (unsigned int i = 0; i < MAX_LIES; i++) {
		uint8_t bytes[8];

		ontb_put_le64(bytes, liar->lies[i].value);
		for (unsigned int b = 0; b < liar->lies[i].len; b++) {
			uint64_t at = liar->lies[i].offset + b;

			if (at >= offset && at < offset + read->len)
				((uint8_t *)read->buf)[at - offset] = bytes[b];
		}
	}
	return 0;
}

static int bar_write(struct ontb_func *func, unsigned int bar, uint64_t offset, const void *buf, size_t len)
{
	return real_of(func)->ops->bar_write(real_of(func), bar, offset, buf, len);
}

static const struct ontb_func_ops liar_ops = {
	.describe = describe,
	.enter = enter,
	.leave = leave,
	.exclusive = exclusive,
	.attach = attach,
	.detach = detach,
	.reset = reset,
	.config_read = config_read,
	.config_write = config_write,
	.bar_read = bar_read,
	.bar_write = bar_write,
};

/* Host a has the liar, which is port 0 of the switch; host b has port 1. */
static void open_liar(struct sw_rig *rig, struct liar *liar)
{
	memset(liar, 0, sizeof(*liar));
	liar->func.ops = &liar_ops;
	sw_build(rig, "host a ram=8M; host b ram=8M; bridge switchtec - b", true);
	liar->real = ontb_bridge_func(ontb_fabric_bridge(rig->fabric, 0), 0);
	assert_int_equal(ontb_fabric_add_func(rig->fabric, 0, &liar->func, NULL), 0);
	for (unsigned int h = 0; h < 2; h++)
		sw_boot(rig, h);
	sw_probe(rig, 1);
}

static void registers_that_cannot_be_are_refused(void **state)
{
	static const struct {
		const char *what;
		struct lie lies[2];
		int want;
		const char *text;
	} cases[] = {
		{ "own number", { { 0x10001, 1, 48 } }, -EPROTO, "own number" },
		{ "own number not in the map", { { 0x10001, 1, 5 } }, -EPROTO, "own number" },
		{ "all ones", { { 0x10000, 8, UINT64_MAX }, { 0x10008, 4, UINT32_MAX } }, -EPROTO, "own number" },
		{ "three partitions and no target", { { 0x10000, 1, 3 } }, -EOPNOTSUPP, "no target" },
		{ "alone", { { 0x10004, 8, 1 } }, -EOPNOTSUPP, "not exactly one peer" },
		{ "two others", { { 0x10004, 8, 7 } }, -EOPNOTSUPP, "not exactly one peer" },
		{ "two targets", { { 0x10004, 8, 7 }, { 0x10024, 8, 6 } }, -EOPNOTSUPP, "not exactly one peer" },
		{ "itself as target", { { 0x10024, 8, 1 } }, -EPROTO, "no such peer" },
		{ "a peer out of range", { { 0x10004, 8, 1 | 1ULL << 48 } }, -EPROTO, "no such peer" },
		{ "a crosslink", { { 0x10020 + 16, 1, 1 } }, -EOPNOTSUPP, "crosslink" },
		{ "no table", { { 0x14014, 2, 0 } }, -EPROTO, "look-up table" },
		{ "a huge table", { { 0x16014, 2, 513 } }, -EPROTO, "look-up table" },
		{ "no windows", { { 0x14060, 4, 0 }, { 0x14080, 4, 0 } }, -EPROTO, "no BAR with windows" },
		{ "no windows of the peer", { { 0x16060, 4, 0 }, { 0x16080, 4, 0 } }, -EPROTO, "no BAR with windows" },
		{ "windows in BAR0", { { 0x14040, 4, 1 } }, -EPROTO, "not there" },
		{ "windows in half a BAR", { { 0x14070, 4, 1 } }, -EPROTO, "not there" },
		{ "a table larger than its BAR", { { 0x14014, 2, 64 } }, -EPROTO, "no room" },
		{ "an event vector out of range", { { 0x4100, 2, 4 } }, -EPROTO, "event vector" },
		{ "an endpoint out of range", { { 0x4414, 4, 255 } }, -EPROTO, "endpoint" },
		{ "a lock that is refused", { { 0x14000, 4, 0 } }, -EIO, "refused" },
		{ "a part that resets", { { 0x14000, 4, 5 } }, -EIO, "refused" },
		{ "a lock that never comes", { { 0x14000, 4, 3 } }, -ETIMEDOUT, "no answer in time" },
		{ "a lock that is not heard of", { { 0x14000, 4, 1 } }, -ETIMEDOUT, "no answer in time" },
		{ "a commit that never ends", { { 0x14000, 4, 2 } }, -ETIMEDOUT, "commit" },
		{ "the peer's block", { { 0x16000, 4, 3 } }, -ETIMEDOUT, "control block 1" },
	};
	struct ontb_ntb *const untouched = (struct ontb_ntb *)0x1;
	struct sw_rig rig;
	struct liar liar;

	(void)state;
	open_liar(&rig, &liar);
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(cases); i++) {
		struct sw_host *host = &rig.hosts[0];
		struct ontb_ntb *ntb = untouched;
		int ret;

		memset(liar.lies, 0, sizeof(liar.lies));
		memcpy(liar.lies, cases[i].lies, sizeof(cases[i].lies));
		sw_log_start();
		ret = ontb_ntb_switchtec_probe(host->dev, host->workers, host->pages, &ntb);
		sw_log_stop();
		if (ret != cases[i].want)
			fail_msg("%s: %d, not %d", cases[i].what, ret, cases[i].want);
		if (!sw_log_has(cases[i].text))
			fail_msg("%s: the log does not say \"%s\"", cases[i].what, cases[i].text);
		assert_ptr_equal(ntb, untouched);
		/* It is still there for whoever tries once more. */
		memset(liar.lies, 0, sizeof(liar.lies));
		sw_log_start();
		sw_probe(&rig, 0);
		sw_remove(&rig, 0);
		sw_log_stop();
	}
	sw_close(&rig);
}

static void odd_but_possible_registers_are_lived_with(void **state)
{
	struct sw_rig rig;
	struct liar liar;

	(void)state;
	open_liar(&rig, &liar);
	/* 33 entries are 32, and Linux's boot quirk has seen targets named where none is needed. */
	liar.lies[0] = (struct lie){ 0x14014, 2, 33 };
	liar.lies[1] = (struct lie){ 0x10024, 8, 2 };
	/* The event on another vector: doorbells and messages take the lowest that are left. */
	liar.lies[2] = (struct lie){ 0x4100, 2, 1 };
	sw_probe(&rig, 0);
	assert_int_equal(ontb_ntb_nr_windows(rig.hosts[0].ntb), 33);
	assert_int_equal(sw_r64(&rig, 0, ontb_sw_dbmsg(0) + 0x1020), 0);
	assert_int_equal(sw_r64(&rig, 0, ontb_sw_dbmsg(0) + 0x1058), 0x0202020200000000);
	assert_true(ontb_pci_irq(rig.hosts[0].dev, 1) > 0);
	assert_int_equal(ontb_pci_irq(rig.hosts[0].dev, 3), 0);
	sw_remove(&rig, 0);
	/* A smaller table than the peer's: windows that both have. */
	liar.lies[0] = (struct lie){ 0x14014, 2, 8 };
	sw_probe(&rig, 0);
	assert_int_equal(ontb_ntb_nr_windows(rig.hosts[0].ntb), 2 + 7);
	assert_int_equal(ontb_ntb_peer_window_size(rig.hosts[0].ntb, 0, 0), 8 * 0x10000);
	sw_close(&rig);
}

static void a_guard_that_makes_no_sense_is_none(void **state)
{
	static const struct lie lies[] = {
		{ 0x300000, 4, 0x12345678 }, { 0x300004, 4, 2 }, { 0x300008, 4, 16385 },
		{ 0x300008, 4, UINT32_MAX }, { 0x300000, 8, 0 },
	};
	const struct ontb_msi_msg msg = { 0xfee00000, 1 };
	struct sw_rig rig;
	struct liar liar;

	(void)state;
	open_liar(&rig, &liar);
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(lies); i++) {
		liar.lies[0] = lies[i];
		sw_log_start();
		sw_probe(&rig, 0);
		sw_log_stop();
		assert_int_equal(ontb_ntb_guard_size(rig.hosts[0].ntb), 0);
		assert_int_equal(ontb_ntb_guard_set(rig.hosts[0].ntb, 0, &msg), -EOPNOTSUPP);
		assert_int_equal(ontb_ntb_guard_enable(rig.hosts[0].ntb, true), -EOPNOTSUPP);
		sw_remove(&rig, 0);
	}
	/* One that does not do what it is told. */
	liar.lies[0] = (struct lie){ 0x30000c, 4, 0 };
	liar.lies[1] = (struct lie){ 0x30100c, 4, 1 };
	sw_probe(&rig, 0);
	sw_log_start();
	assert_int_equal(ontb_ntb_guard_enable(rig.hosts[0].ntb, true), -EIO);
	assert_int_equal(ontb_ntb_guard_enable(rig.hosts[0].ntb, false), 0);
	assert_int_equal(ontb_ntb_guard_set(rig.hosts[0].ntb, 0, &msg), 0);
	assert_int_equal(ontb_ntb_guard_set(rig.hosts[0].ntb, 0, NULL), -EIO);
	sw_log_stop();
	sw_close(&rig);
}

/* A part that cannot tell whether a message was taken is written to all the same. */
static void a_part_that_hides_the_peers_messages_overwrites(void **state)
{
	unsigned int peer;
	struct sw_rig rig;
	struct liar liar;
	uint32_t value;

	(void)state;
	open_liar(&rig, &liar);
	liar.lies[0] = (struct lie){ ontb_sw_dbmsg(1) + 0x1090, 8, UINT64_MAX };
	liar.lies[1] = (struct lie){ ontb_sw_dbmsg(1) + 0x1098, 8, 0 };
	sw_probe(&rig, 0);
	sw_link(&rig);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(ontb_ntb_peer_msg_write(rig.hosts[0].ntb, 0, i, 1), 0);
		assert_int_equal(ontb_ntb_peer_msg_write(rig.hosts[0].ntb, 0, i, 2), 0);
		assert_int_equal(ontb_ntb_msg_read(rig.hosts[1].ntb, i, &peer, &value), 0);
		assert_int_equal(value, 2);
		assert_int_equal(ontb_ntb_msg_read(rig.hosts[1].ntb, i, &peer, &value), -EAGAIN);
	}
	sw_close(&rig);
}

/* Requester ids under which the peer's writes arrive. */
static void proxy_ids_become_ids_of_the_function(void **state)
{
	uint16_t rids[ONTB_MSI_MAX_RIDS];
	struct sw_rig rig;
	struct liar liar;
	unsigned int nr;

	(void)state;
	open_liar(&rig, &liar);
	liar.lies[0] = (struct lie){ ontb_sw_ctrl(1) + 0x400, 8, 0x0000002900000013 };
	liar.lies[1] = (struct lie){ ontb_sw_ctrl(1) + 0x408, 8, 0x00000013ffffffff };
	sw_probe(&rig, 0);
	nr = ontb_msi_dev_rids(ontb_ntb_msi(rig.hosts[0].ntb), rids);
	assert_int_equal(nr, 3);
	assert_int_equal(rids[0], ontb_pci_rid(rig.hosts[0].dev));
	assert_int_equal(rids[1], ONTB_RID(0, 1, 1));
	assert_int_equal(rids[2], ONTB_RID(0, 2, 4));
	sw_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_that_cannot_be_are_refused),
		cmocka_unit_test(odd_but_possible_registers_are_lived_with),
		cmocka_unit_test(a_guard_that_makes_no_sense_is_none),
		cmocka_unit_test(a_part_that_hides_the_peers_messages_overwrites),
		cmocka_unit_test(proxy_ids_become_ids_of_the_function),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
