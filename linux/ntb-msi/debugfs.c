// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/ntb_msi/DEVICE: what there is and what has happened, for people and tests.
 */
#include <linux/debugfs.h>
#include <linux/pci.h>
#include <linux/seq_file.h>

#include "ntb_msi.h"

static struct dentry *top;

static const char *const phases[] = {
	[NTB_MSI_STEADY] = "steady",
	[NTB_MSI_AWAY] = "away",
	[NTB_MSI_BACK] = "back",
};

static void show_line(struct seq_file *m, const char *what, struct ntb_msi_line *line)
{
	u32 data;
	u64 addr = ntb_msi_line_message(line, &data);

	seq_printf(m, " %s irq %u cpu %d message %#llx/%#x", what, line->virq,
		   line->requested ? ntb_msi_line_cpu(line) : -1, addr, data);
}

static int state_show(struct seq_file *m, void *unused)
{
	struct ntb_msi *msi = m->private;
	struct ntb_msi_handle *handle;
	struct ntb_msi_line *line;
	unsigned int nr_late = 0;
	unsigned int i;

	mutex_lock(&msi->lock);
	for (i = 0; i < msi->nr_lines; i++)
		nr_late += atomic_read(&msi->lines[i]->nr_late);
	seq_printf(m, "domain %s parent %s\n", msi->domain->name, msi->parent->name);
	seq_printf(m, "messages %s\n", msi->fixed ? "fixed" : "change");
	seq_printf(m, "window %#llx %#llx\n", msi->base, (u64)msi->size);
	seq_printf(m, "lines %u free %zu quarantine %zu grants %zu returning %zu\n", msi->nr_lines,
		   list_count_nodes(&msi->free), list_count_nodes(&msi->quarantine), list_count_nodes(&msi->grants),
		   list_count_nodes(&msi->returning));
	seq_printf(m, "published %u late %u refused %u swept %u\n", msi->nr_published, msi->nr_late + nr_late,
		   msi->nr_refused, msi->nr_swept);
	list_for_each_entry(handle, &msi->handles, node) {
		seq_printf(m, "handle %s %s moves %u", handle->home->name, phases[handle->phase], handle->nr_moves);
		show_line(m, "home", handle->home);
		if (handle->standin)
			show_line(m, "standin", handle->standin);
		seq_puts(m, "\n");
	}
	list_for_each_entry(line, &msi->quarantine, node) {
		seq_puts(m, "quarantine");
		show_line(m, "line", line);
		seq_puts(m, "\n");
	}
	ntb_msi_grants_show(msi, m);
	mutex_unlock(&msi->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(state);

/**
 * ntb_msi_debugfs_add() - make a device's file
 * @msi: Device; ->debugfs is removed by the caller.
 *
 * Context: Process context, may sleep.
 */
void ntb_msi_debugfs_add(struct ntb_msi *msi)
{
	msi->debugfs = debugfs_create_file(pci_name(msi->ntb->pdev), 0400, top, msi, &state_fops);
}

/**
 * ntb_msi_debugfs_init() - make the folder
 *
 * Context: Process context, may sleep.
 */
void ntb_msi_debugfs_init(void)
{
	top = debugfs_create_dir("ntb_msi", NULL);
}

/**
 * ntb_msi_debugfs_exit() - remove the folder
 *
 * Context: Process context, may sleep.
 */
void ntb_msi_debugfs_exit(void)
{
	debugfs_remove(top);
}
