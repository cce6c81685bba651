/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * NTB interrupts in a domain of their own: what the files of this module share.
 *
 * A *line* is one Linux interrupt of the domain, and so one message. A *handle* is what a client holds: a handler
 * and the message that its peers were told. A handle has one line, its home, whose number the client knows; while
 * it moves to another CPU it has a second one, the stand-in. domain.c makes lines, handle.c gives them to clients,
 * move.c replaces them, window.c says which messages a peer can reach, bridge.c opens and closes the windows for that, api.c
 * is the interface of <linux/ntb.h>. grant.c, grant_state.c and held.c are that of ntb_grant.h.
 *
 * ntb_msi.lock protects everything that has no other remark. It is a mutex, so all of that is process context.
 */
#ifndef NTB_MSI_H
#define NTB_MSI_H

#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "compat.h"

/* Lines of one device, more than any window of interest holds handles; twice that for stand-ins and quarantine. */
#define NTB_MSI_MAX_LINES 1024

struct dentry;
struct ntb_grant;
struct ntb_msi_handle;
struct seq_file;

/**
 * struct ntb_msi_line - one Linux interrupt of the domain
 * @msi:      Owner, constant.
 * @node:     In ntb_msi.free while nobody has it; the one free for longest is first.
 * @hwirq:    Index in the domain, constant.
 * @virq:     Linux interrupt number, constant.
 * @desc:     Carries the device for the parent, which takes the requester ids (and their aliases) from it.
 * @deflt:    Affinity that the line was born with.
 * @requested: The kernel has an action for it, so the message is valid.
 * @exposed:  A peer may send the message: it carries a handle or is in quarantine. Read by the chip under desc->lock.
 * @until:    End of the quarantine, in jiffies; valid in ntb_msi.quarantine.
 * @lock:     Protects @msg and @changed.
 * @msg:      What a peer has to write, as last composed.
 * @changed:  @msg changed while @exposed: the parent moved what it was expected to leave alone.
 * @handle:   Who gets the interrupts, or NULL. Read by the interrupt; cleared before synchronize_irq().
 * @nr_late:  Interrupts without a handle: from a peer that had not heard yet.
 * @name:     Name in /proc/interrupts.
 */
struct ntb_msi_line {
	struct ntb_msi *msi;
	struct list_head node;
	unsigned int hwirq;
	unsigned int virq;
	struct msi_desc desc;
	cpumask_var_t deflt;
	bool requested;
	bool exposed;
	unsigned long until;
	raw_spinlock_t lock;
	struct msi_msg msg;
	bool changed;
	struct ntb_msi_handle *handle;
	atomic_t nr_late;
	char name[48];
};

/**
 * struct ntb_msi_client - what a client asked for; constant
 * @handler:   Its handler.
 * @thread_fn: Its threaded handler or NULL.
 * @dev_id:    Its cookie.
 * @desc:      Where it wants (offset, data); written at the request, and then under ntb_dev.ctx_lock while the client exists.
 * @grant:     The grant that the interrupt belongs to, or NULL: then nobody says when an old message is out of use.
 */
struct ntb_msi_client {
	irq_handler_t handler;
	irq_handler_t thread_fn;
	void *dev_id;
	struct ntb_msi_desc *desc;
	struct ntb_grant *grant;
};

/**
 * enum ntb_msi_phase - where a handle is in a move
 * @NTB_MSI_STEADY: The home carries it and there is no stand-in.
 * @NTB_MSI_AWAY:   The stand-in carries it; peers may still send to the home, which has not moved.
 * @NTB_MSI_BACK:   The home carries it, on the new CPU; peers may still send to the stand-in.
 */
enum ntb_msi_phase {
	NTB_MSI_STEADY,
	NTB_MSI_AWAY,
	NTB_MSI_BACK
};

/**
 * struct ntb_msi_handle - an interrupt that a client has requested
 * @msi:       Owner, constant.
 * @node:      In ntb_msi.handles; in ntb_msi.returning when its grant is being freed.
 * @client:    What the client asked for.
 * @live:      The handler may run. Cleared before synchronize_irq().
 * @running:   Interrupts that wait for a run of the handler, see deliver().
 * @thread:    Serialises the threaded handler, as lines of one handle have threads of their own.
 * @home:      The line whose number the client has.
 * @standin:   The line that carries the handle while the home moves, or NULL.
 * @phase:     See enum ntb_msi_phase.
 * @until:     End of the phase in jiffies; with a grant it does not end before that. In NTB_MSI_STEADY no move begins before.
 * @publish:   The client has to be told.
 * @sweep:     Something may have been lost: run the handler once after peers were told.
 * @want_lock: Protects @want and @wanted; taken under desc->lock.
 * @want:      Affinity that was asked for last.
 * @wanted:    @want is to be looked at.
 * @nr_moves:  Completed moves.
 */
struct ntb_msi_handle {
	struct ntb_msi *msi;
	struct list_head node;
	struct ntb_msi_client client;
	bool live;
	atomic_t running;
	struct mutex thread; /* see above */
	struct ntb_msi_line *home;
	struct ntb_msi_line *standin;
	enum ntb_msi_phase phase;
	unsigned long until;
	bool publish;
	bool sweep;
	raw_spinlock_t want_lock;
	cpumask_var_t want;
	bool wanted;
	unsigned int nr_moves;
};

/**
 * struct ntb_msi - the interrupts of one NTB device; lives from ntb_msi_init() until the client is gone
 * @ntb:          The device, constant.
 * @all:          In the list of all devices, for CPU hotplug.
 * @desc_changed: The client's callback or NULL, constant.
 * @lock:         Protects what has no other remark, here and in lines and handles.
 * @parent:       The device's MSI parent, constant.
 * @fwnode:       Name of the domain, constant.
 * @domain:       The domain, constant.
 * @info:         What a parent's operations expect to find in a domain of MSIs.
 * @ops:          The same.
 * @chip:         This device's chip, named after it; constant once the domain exists.
 * @chip_name:    Its name.
 * @alloc:        Template of what the parent gets for an allocation.
 * @fixed:        The parent's messages do not change when an interrupt moves.
 * @lines:        All lines by hwirq.
 * @nr_lines:     Number of them.
 * @free:         Lines that nobody has.
 * @quarantine:   Lines without a handle that late peers may still send to.
 * @handles:      All handles, less those in @returning.
 * @returning:    Handles whose grants are being freed, and whose messages peers may hold.
 * @grants:       All grants.
 * @generations:  The last generation of a word about a grant.
 * @cpu_addr:     Per CPU, the address of messages to it, or 0 when not known; NULL if @fixed.
 * @base:         Address at which the peers' window begins.
 * @size:         Its size; 0 when there is none.
 * @wq:           Where @work runs.
 * @work:         Ends quarantines and phases, starts moves, ends grants.
 * @publish_at:   Not before this time (jiffies) do moves have peers told again, so that they never read what is being written.
 * @publisher:    Task inside @desc_changed, which must not request interrupts.
 * @leaving:      CPUs on their way out.
 * @nr_published: How often peers were told.
 * @nr_late:      Interrupts in quarantine, of lines that have been used again since.
 * @nr_refused:   Moves that could not be made.
 * @nr_swept:     Handlers run for what may have been lost.
 * @debugfs:      File with all this.
 * @nr_peers:     Number of @peer_mws, constant.
 * @peer_mws:     Outbound windows onto the peers' interrupts, constant; and whether the peer's window onto ours may be open.
 */
struct ntb_msi {
	struct ntb_dev *ntb;
	struct list_head all;
	void (*desc_changed)(void *ctx);
	struct mutex lock; /* see above */

	struct irq_domain *parent;
	struct fwnode_handle *fwnode;
	struct irq_domain *domain;
	struct msi_domain_info info;
	struct msi_domain_ops ops;
	struct irq_chip chip;
	char chip_name[40];
	msi_alloc_info_t alloc;
	bool fixed;

	struct ntb_msi_line *lines[NTB_MSI_MAX_LINES];
	unsigned int nr_lines;
	struct list_head free;
	struct list_head quarantine;
	struct list_head handles;
	struct list_head returning;
	struct list_head grants;
	u32 generations;

	u64 *cpu_addr;
	u64 base;
	resource_size_t size;

	struct workqueue_struct *wq;
	struct delayed_work work;
	unsigned long publish_at;
	struct task_struct *publisher;
	cpumask_var_t leaving;
	unsigned int nr_published;
	unsigned int nr_late;
	unsigned int nr_refused;
	unsigned int nr_swept;
	struct dentry *debugfs;

	unsigned int nr_peers;
	struct peer_mw {
		u32 __iomem *io;
		resource_size_t size;
		bool may_be_open;
	} peer_mws[];
};

/* Parameters, see api.c. */
extern unsigned int ntb_msi_quarantine_ms;
extern unsigned int ntb_msi_confirm_ms;
extern unsigned int ntb_msi_reserve;
extern bool ntb_msi_refuse_moves;

/* domain.c */
int ntb_msi_domain_create(struct ntb_msi *msi);
void ntb_msi_domain_remove(struct ntb_msi *msi);
int ntb_msi_line_new(struct ntb_msi *msi, struct ntb_msi_line **out);
void ntb_msi_line_drop(struct ntb_msi_line *line);
u64 ntb_msi_line_message(struct ntb_msi_line *line, u32 *data);
int ntb_msi_line_compose(struct ntb_msi_line *line);
int ntb_msi_line_cpu(struct ntb_msi_line *line);

/* handle.c */
int ntb_msi_line_get(struct ntb_msi *msi, struct ntb_msi_line **out);
int ntb_msi_line_request(struct ntb_msi_line *line, struct ntb_msi_handle *handle, const struct cpumask *mask,
			 const char *name);
void ntb_msi_line_release(struct ntb_msi_line *line);
void ntb_msi_line_put(struct ntb_msi_line *line);
void ntb_msi_line_retire(struct ntb_msi_line *line);
void ntb_msi_line_drain(struct ntb_msi_line *line);
struct ntb_msi_line *ntb_msi_carrier(struct ntb_msi_handle *handle);
int ntb_msi_handle_new(struct ntb_msi *msi, const struct ntb_msi_client *client, const char *name,
		       struct ntb_msi_handle **out);
void ntb_msi_handle_free(struct ntb_msi_handle *handle);
void ntb_msi_handle_stop(struct ntb_msi_handle *handle);
void ntb_msi_handle_returned(struct ntb_msi_handle *handle);
void ntb_msi_handle_sweep(struct ntb_msi_handle *handle);

/* move.c */
bool ntb_msi_wants_move(struct ntb_msi_line *line, const struct cpumask *mask);
unsigned long ntb_msi_step(struct ntb_msi *msi);
void ntb_msi_kick(struct ntb_msi *msi);
void ntb_msi_work(struct work_struct *work);
int ntb_msi_vacate(struct ntb_msi *msi, unsigned int cpu);

/* window.c */
int ntb_msi_measure(struct ntb_msi *msi);
void ntb_msi_measure_cpu(struct ntb_msi *msi, struct ntb_msi_line *line, unsigned int cpu);
int ntb_msi_window_find(struct ntb_msi *msi, u64 *base, resource_size_t *size);
int ntb_msi_window_choose(struct ntb_msi *msi);
int ntb_msi_window_offset(struct ntb_msi *msi, struct ntb_msi_line *line, struct ntb_msi_desc *out);
void ntb_msi_allowed_cpus(struct ntb_msi *msi, struct cpumask *out);

/* bridge.c */
int ntb_msi_window_open(struct ntb_msi *msi, unsigned int peer);
int ntb_msi_window_close(struct ntb_msi *msi, unsigned int peer);
int ntb_msi_windows_open(struct ntb_msi *msi);
int ntb_msi_windows_close(struct ntb_msi *msi);

/* grant.c */
void ntb_msi_grant_message(struct ntb_msi_handle *handle, struct ntb_msi_line *line);
bool ntb_msi_grant_is_settled(const struct ntb_grant *grant);
bool ntb_msi_grants_are_told(const struct ntb_msi *msi);
void ntb_msi_grants_step(struct ntb_msi *msi);
void ntb_msi_grants_end(struct ntb_msi *msi);
void ntb_msi_grants_gone(struct ntb_msi *msi, unsigned int peer);
void ntb_msi_grants_show(struct ntb_msi *msi, struct seq_file *m);

/* debugfs.c */
void ntb_msi_debugfs_init(void);
void ntb_msi_debugfs_exit(void);
void ntb_msi_debugfs_add(struct ntb_msi *msi);

#endif
