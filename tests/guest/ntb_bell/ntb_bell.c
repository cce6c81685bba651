// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The least client of an NTB that does something: it says which ports there are, and whenever the link comes up it
 * rings the peer's doorbell. tests/guest/test_modules.py builds it as an author outside of this tree would.
 *
 * "ring" does it once more: echo BIT >/sys/module/ntb_bell/parameters/ring
 */
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/ntb.h>
#include <linux/slab.h>

MODULE_DESCRIPTION("NTB client that rings the peer's doorbell");
MODULE_LICENSE("Dual BSD/GPL");

/* Another build says so, which shows that it has taken the place of the first one. */
#ifndef BELL_BUILD
#define BELL_BUILD 1
#endif

/* Without this ntb_msi_init() and its relatives are empty, and struct ntb_dev is not the one of ntb.ko. */
#ifndef CONFIG_NTB_MSI
#error "CONFIG_NTB_MSI is not defined"
#endif

struct bell {
	struct list_head list;
	struct ntb_dev *ntb;
};

/* Protects bells. */
static DEFINE_MUTEX(bells_lock);
static LIST_HEAD(bells);

static void bell_link_event(void *ctx)
{
	struct bell *bell = ctx;
	bool up = ntb_link_is_up(bell->ntb, NULL, NULL) != 0;

	dev_info(&bell->ntb->dev, "bell: link %s\n", up ? "up" : "down");
	if (up)
		ntb_peer_db_set(bell->ntb, BIT_ULL(0));
}

static void bell_db_event(void *ctx, int vector)
{
	struct bell *bell = ctx;
	u64 bits = ntb_db_read(bell->ntb);

	if (!bits)
		return;
	ntb_db_clear(bell->ntb, bits);
	dev_info(&bell->ntb->dev, "bell: doorbell %#llx\n", bits);
}

static const struct ntb_ctx_ops bell_ops = {
	.link_event = bell_link_event,
	.db_event = bell_db_event,
};

static int bell_probe(struct ntb_client *client, struct ntb_dev *ntb)
{
	struct bell *bell = kzalloc(sizeof(*bell), GFP_KERNEL);
	int rc;

	if (!bell)
		return -ENOMEM;
	bell->ntb = ntb;
	rc = ntb_set_ctx(ntb, bell, &bell_ops);
	if (rc)
		goto free_bell;
	ntb_db_clear(ntb, ntb_db_valid_mask(ntb));
	ntb_db_clear_mask(ntb, ntb_db_valid_mask(ntb));
	dev_info(&ntb->dev, "bell: build %d, port %d, peer %d\n", BELL_BUILD, ntb_port_number(ntb),
		 ntb_peer_port_number(ntb, 0));
	mutex_lock(&bells_lock);
	list_add(&bell->list, &bells);
	mutex_unlock(&bells_lock);
	ntb_link_enable(ntb, NTB_SPEED_AUTO, NTB_WIDTH_AUTO);
	ntb_link_event(ntb);
	return 0;

free_bell:
	kfree(bell);
	return rc;
}

static void bell_remove(struct ntb_client *client, struct ntb_dev *ntb)
{
	struct bell *bell = ntb->ctx;

	mutex_lock(&bells_lock);
	list_del(&bell->list);
	mutex_unlock(&bells_lock);
	ntb_link_disable(ntb);
	ntb_db_set_mask(ntb, ntb_db_valid_mask(ntb));
	ntb_db_clear(ntb, ntb_db_valid_mask(ntb));
	ntb_clear_ctx(ntb);
	kfree(bell);
}

static struct ntb_client bell_client = {
	.ops = {
		.probe = bell_probe,
		.remove = bell_remove,
	},
};

static int ring_set(const char *text, const struct kernel_param *param)
{
	struct bell *bell;
	unsigned int bit;
	int rc = kstrtouint(text, 0, &bit);

	if (rc)
		return rc;
	if (bit > 63)
		return -ERANGE;
	mutex_lock(&bells_lock);
	rc = -ENODEV;
	list_for_each_entry(bell, &bells, list)
	{
		rc = ntb_peer_db_set(bell->ntb, BIT_ULL(bit));
		if (rc)
			break;
	}
	mutex_unlock(&bells_lock);
	return rc;
}

static const struct kernel_param_ops ring_ops = {
	.set = ring_set,
};
module_param_cb(ring, &ring_ops, NULL, 0200);
MODULE_PARM_DESC(ring, "bit of the peer's doorbell to ring");

module_ntb_client(bell_client);
