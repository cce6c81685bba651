// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts of <linux/ntb.h> beside the granted ones, on the same device: both interfaces at work at a time.
 *
 * Each is told in a scratchpad, in one word, whenever it changes; nobody confirms. For a test of a few messages that is
 * enough, ntb_irq_test does it thoroughly.
 */
#include <linux/bits.h>

#include "session.h"

#define SPAD_BESIDE 16
#define WORD_VALID  BIT(31)
#define DATA_BITS   12
#define OFFSET_BITS 18

static irqreturn_t beside_isr(int irq, void *arg)
{
	struct beside *own = arg;

	atomic_inc(&own->runs);
	return IRQ_HANDLED;
}

static u32 pack(const struct ntb_msi_desc *desc)
{
	if (desc->data >> DATA_BITS || desc->addr_offset / 4 >> OFFSET_BITS)
		return 0;
	return WORD_VALID | desc->addr_offset / 4 << DATA_BITS | desc->data;
}

/**
 * beside_tell() - write what the interrupts' messages are to where the peer finds it
 * @ctx: Client. It is what ntb_msi_init() calls.
 *
 * Context: ntb_dev.ctx_lock is held, under which messages are changed.
 */
void beside_tell(void *ctx)
{
	struct test *test = ctx;
	unsigned int i;

	for (i = 0; i < nr_beside; i++)
		ntb_spad_write(test->ntb, SPAD_BESIDE + i, test->beside[i].irq ? pack(&test->beside[i].desc) : 0);
}

/**
 * beside_request() - request those that there are not yet
 * @test: Client, with a window.
 *
 * Context: Process context, may sleep.
 */
void beside_request(struct test *test)
{
	unsigned long flags;
	unsigned int i;
	int ret;

	for (i = 0; i < nr_beside; i++) {
		struct beside *own = &test->beside[i];

		if (own->irq)
			continue;
		ret = ntbm_msi_request_irq(test->ntb, beside_isr, "ntb_grant_beside", own, &own->desc);
		if (ret < 0) {
			dev_err(&test->ntb->dev, "cannot request an interrupt of <linux/ntb.h>: %d\n", ret);
			break;
		}
		own->irq = ret;
	}
	spin_lock_irqsave(&test->ntb->ctx_lock, flags);
	beside_tell(test);
	spin_unlock_irqrestore(&test->ntb->ctx_lock, flags);
}

/**
 * beside_trigger() - raise an interrupt of the peer
 * @test:  Client.
 * @index: Which.
 *
 * Context: Process context.
 * Return: 0, -ENOENT if the peer has none, or what ntb_msi_peer_trigger() says.
 */
int beside_trigger(struct test *test, unsigned int index)
{
	struct ntb_msi_desc desc;
	u32 word;

	if (index >= MAX_BESIDE)
		return -ERANGE;
	word = ntb_peer_spad_read(test->ntb, PEER, SPAD_BESIDE + index);
	if (!(word & WORD_VALID))
		return -ENOENT;
	desc.data = word & (BIT(DATA_BITS) - 1);
	desc.addr_offset = (word >> DATA_BITS & (BIT(OFFSET_BITS) - 1)) * 4;
	return ntb_msi_peer_trigger(test->ntb, PEER, &desc);
}
