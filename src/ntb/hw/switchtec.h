/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Inside of the Switchtec driver: one function that this host drives, and the parts of the driver by noun.
 *
 * The driver is strictly one to one, as Linux's: partition self, partition peer.
 */
#ifndef ONTB_NTB_HW_SWITCHTEC_H
#define ONTB_NTB_HW_SWITCHTEC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <openntb/ntb.h>
#include <openntb/pages.h>
#include <openntb/pci.h>
#include <openntb/worker.h>

#include "base/annotate.h"
#include "base/log.h"
#include "ntb/hw/switchtec_regs.h"

#define ONTB_SWTEC_NR_BARS 6U

/* Interrupts that the driver needs. */
enum ontb_swtec_irq {
	ONTB_SWTEC_IRQ_EVENT,
	ONTB_SWTEC_IRQ_DOORBELL,
	ONTB_SWTEC_IRQ_MESSAGE,
	ONTB_SWTEC_NR_IRQS,
};

/**
 * struct ontb_swtec_windows - windows of one direction
 * @nr_direct:  Direct windows.
 * @direct_bar: BAR of each.
 * @nr_luts:    Entries of the look-up table, a power of two. The first one is the shared page's.
 *
 * Numbers of windows: direct ones, then those of the table without the first.
 */
struct ontb_swtec_windows {
	unsigned int nr_direct;
	unsigned int direct_bar[ONTB_SWTEC_NR_BARS];
	unsigned int nr_luts;
};

/**
 * struct ontb_swtec_outbound - where an outbound window is
 * @bar:    BAR.
 * @offset: First byte in it.
 * @size:   Bytes.
 */
struct ontb_swtec_outbound {
	unsigned int bar;
	uint64_t offset;
	uint64_t size;
};

/**
 * struct ontb_swtec - a driven function
 * @dev:         Function. Constant.
 * @ntb:         Its bridge. Constant after probe.
 * @sys:         Interrupt system. Constant.
 * @pages:       Where @page is from. Constant.
 * @never_sleep: The workers are stepped. Constant.
 * @self:        Own partition. Constant.
 * @peer:        The other one. Constant.
 * @own:         Windows in this function's BARs: outbound. Constant.
 * @theirs:      Windows in the peer's: inbound. Constant.
 * @nr_windows:  Windows of either direction that both have, as far as clients see them. Constant.
 * @outbound:    One per window. Constant.
 * @page:        Memory that the peer writes to. Constant; contents change at any time.
 * @peer_pff:    The peer's endpoint. Constant.
 * @entries:     MSI-X entry of each interrupt. Constant.
 * @nr_requested: Of these, how many have a handler; in their order.
 * @nr_guards:   Slots of the guard, 0 without. Constant.
 * @ctrl_lock:   Held over a whole lock, change, commit of either control block, and for @open.
 * @open:        Which inbound windows this host has opened.
 * @db_lock:     Leaf lock of @db_enabled and its register.
 * @db_enabled:  Doorbell bits that may interrupt.
 * @msg_lock:    Leaf lock of message registers that are taken or sent.
 * @guard_lock:  Leaf lock of slots that are written.
 * @worker:      Looks after the link. Constant.
 * @link_lock:   Held while @is_enabled, @is_up and the sessions change; not while events run.
 * @is_enabled:  The client wants the link.
 * @is_up:       The link is up.
 * @is_forced:   The peer's driver said that it starts from nothing.
 * @link_limit:  Rate of log lines about the peer.
 * @session:     Of this side, as in its page.
 * @peer_session: Of the peer when the link came up.
 * @link_events: Counter of the peer's link state event. Worker only.
 */
struct ontb_swtec {
	struct ontb_pci_dev *dev;
	struct ontb_ntb *ntb;
	struct ontb_irq_system *sys;
	struct ontb_pages *pages;
	bool never_sleep;
	unsigned int self;
	unsigned int peer;
	struct ontb_swtec_windows own;
	struct ontb_swtec_windows theirs;
	unsigned int nr_windows;
	struct ontb_swtec_outbound outbound[ONTB_NTB_MAX_WINDOWS];
	struct ontb_page_run page;
	unsigned int peer_pff;
	unsigned int entries[ONTB_SWTEC_NR_IRQS];
	unsigned int nr_requested;
	unsigned int nr_guards;
	struct ontb_lock ctrl_lock;
	bool open[ONTB_NTB_MAX_WINDOWS];
	struct ontb_lock db_lock;
	uint64_t db_enabled;
	struct ontb_lock msg_lock;
	struct ontb_lock guard_lock;
	struct ontb_worker *worker;
	struct ontb_lock link_lock;
	_Atomic bool is_enabled;
	_Atomic bool is_up;
	_Atomic bool is_forced;
	struct ontb_ratelimit link_limit;
	uint32_t session;
	uint32_t peer_session;
	unsigned int link_events;
};

static inline struct ontb_swtec *ontb_swtec_of(const struct ontb_ntb *ntb)
{
	return ontb_ntb_driver(ntb);
}

/* Registers */

static inline uint32_t ontb_swtec_read32(const struct ontb_swtec *sw, uint32_t offset)
{
	return ontb_pci_bar_read32(sw->dev, 0, offset);
}

static inline uint64_t ontb_swtec_read64(const struct ontb_swtec *sw, uint32_t offset)
{
	return ontb_pci_bar_read64(sw->dev, 0, offset);
}

static inline void ontb_swtec_write32(const struct ontb_swtec *sw, uint32_t offset, uint32_t value)
{
	ontb_pci_bar_write32(sw->dev, 0, offset, value);
}

static inline void ontb_swtec_write64(const struct ontb_swtec *sw, uint32_t offset, uint64_t value)
{
	ontb_pci_bar_write64(sw->dev, 0, offset, value);
}

/* Geometry: switchtec_geometry.c */

/**
 * ontb_swtec_find_out() - learn from the registers who is who and which windows there are
 * @sw: Driver with @dev only.
 *
 * Everything is checked here, once.
 *
 * Return: 0, -EOPNOTSUPP or -EPROTO, with a log line.
 */
int ontb_swtec_find_out(struct ontb_swtec *sw);

/**
 * ontb_swtec_add_aliases() - tell the interrupt side under which requester ids the peer's writes arrive
 * @sw: Driver.
 *
 * Context: Before the MSI device exists.
 */
void ontb_swtec_add_aliases(struct ontb_swtec *sw);

/* Control blocks: switchtec_ctrl.c */

/**
 * ontb_swtec_init_req_ids() - let accesses of this host through its windows have requester ids at the other end
 * @sw: Driver.
 *
 * Context: Blocks.
 * Return: 0, -ETIMEDOUT or -EIO, with a log line.
 */
int ontb_swtec_init_req_ids(struct ontb_swtec *sw);

/**
 * ontb_swtec_show_page() - let the peer see the shared page
 * @sw: Driver.
 *
 * Context: Blocks.
 * Return: 0, -ETIMEDOUT or -EIO, with a log line.
 */
int ontb_swtec_show_page(struct ontb_swtec *sw);

/**
 * ontb_swtec_hide_all() - close every window that this host has opened, the shared page's too
 * @sw: Driver.
 *
 * Context: Blocks. Failures are logged.
 */
void ontb_swtec_hide_all(struct ontb_swtec *sw);

/* Operations, see struct ontb_ntb_ops. */
int ontb_swtec_window_limits(struct ontb_ntb *ntb, unsigned int peer, unsigned int window,
			     struct ontb_ntb_window *limits);
int ontb_swtec_window_open(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t addr, uint64_t size);
int ontb_swtec_window_close(struct ontb_ntb *ntb, unsigned int peer, unsigned int window);

/* Shared page, scratchpads and link: switchtec_link.c */

/**
 * ontb_swtec_init_page() - fill in what this host says of itself
 * @sw: Driver with a page, which the peer does not see yet.
 */
void ontb_swtec_init_page(struct ontb_swtec *sw);

/**
 * ontb_swtec_init_events() - from here on it is news when the peer's host is lost
 * @sw: Driver that has requested no interrupt: one that a driver before it left enabled lets the worker look at once.
 */
void ontb_swtec_init_events(struct ontb_swtec *sw);

/**
 * ontb_swtec_enable_events() - be told of such news
 * @sw: Driver. What has happened since ontb_swtec_init_events() is seen when the link is enabled.
 */
void ontb_swtec_enable_events(struct ontb_swtec *sw);

/**
 * ontb_swtec_peer_page_read64() - load from the peer's page
 * @sw:     Driver.
 * @offset: In it, a multiple of 8.
 *
 * Return: The value; all ones if nobody is there.
 */
uint64_t ontb_swtec_peer_page_read64(const struct ontb_swtec *sw, uint32_t offset);

/**
 * ontb_swtec_peer_state() - magic (lower half) and link word (upper half) of the peer's page
 * @sw: Driver.
 *
 * Return: All ones if the peer shows no page.
 */
uint64_t ontb_swtec_peer_state(const struct ontb_swtec *sw);

/**
 * ontb_swtec_peer_may_have_link() - whether the peer may believe in a link, or has no page to show
 * @sw: Driver.
 *
 * Return: False only if the peer's page can be read and says that its host does not want the link.
 */
bool ontb_swtec_peer_may_have_link(const struct ontb_swtec *sw);

/**
 * ontb_swtec_look_at_link() - the link's work
 * @arg: Driver.
 *
 * Context: Worker.
 */
void ontb_swtec_look_at_link(void *arg);

/* Operations, see struct ontb_ntb_ops. */
int ontb_swtec_link_enable(struct ontb_ntb *ntb);
void ontb_swtec_link_disable(struct ontb_ntb *ntb);
bool ontb_swtec_link_is_up(struct ontb_ntb *ntb, unsigned int peer);
unsigned int ontb_swtec_spad_count(struct ontb_ntb *ntb);
uint32_t ontb_swtec_spad_read(struct ontb_ntb *ntb, unsigned int idx);
void ontb_swtec_spad_write(struct ontb_ntb *ntb, unsigned int idx, uint32_t value);
uint32_t ontb_swtec_peer_spad_read(struct ontb_ntb *ntb, unsigned int peer, unsigned int idx);
void ontb_swtec_peer_spad_write(struct ontb_ntb *ntb, unsigned int peer, unsigned int idx, uint32_t value);
void *ontb_swtec_page(struct ontb_ntb *ntb, unsigned int peer, size_t *size);
void ontb_swtec_peer_page_write(struct ontb_ntb *ntb, unsigned int peer, size_t offset, const void *buf, size_t len);

/* Doorbells and messages: switchtec_dbmsg.c */

/**
 * ontb_swtec_init_dbmsg() - doorbells masked, messages routed from the peer, vectors chosen
 * @sw: Driver.
 */
void ontb_swtec_init_dbmsg(struct ontb_swtec *sw);

/**
 * ontb_swtec_quiet_dbmsg() - let neither doorbells nor messages interrupt
 * @sw: Driver.
 */
void ontb_swtec_quiet_dbmsg(struct ontb_swtec *sw);

/**
 * ontb_swtec_send() - write a message register
 * @sw:    Driver.
 * @reg:   Register.
 * @value: Value; what is there is overwritten.
 */
void ontb_swtec_send(struct ontb_swtec *sw, unsigned int reg, uint32_t value);

/**
 * ontb_swtec_take() - take what is in a message register
 * @sw:    Driver.
 * @reg:   Register.
 * @value: OUT.
 *
 * Context: Any, also a handler. Takes the message lock.
 * Return: True if there was something.
 */
bool ontb_swtec_take(struct ontb_swtec *sw, unsigned int reg, uint32_t *value);

/**
 * ontb_swtec_has_message() - whether a register that clients use has something
 * @sw: Driver.
 */
bool ontb_swtec_has_message(const struct ontb_swtec *sw);

/* Operations, see struct ontb_ntb_ops. */
uint64_t ontb_swtec_db_valid(struct ontb_ntb *ntb);
uint64_t ontb_swtec_db_read(struct ontb_ntb *ntb);
void ontb_swtec_db_clear(struct ontb_ntb *ntb, uint64_t bits);
void ontb_swtec_db_mask(struct ontb_ntb *ntb, uint64_t bits);
void ontb_swtec_db_unmask(struct ontb_ntb *ntb, uint64_t bits);
void ontb_swtec_peer_db_set(struct ontb_ntb *ntb, unsigned int peer, uint64_t bits);
unsigned int ontb_swtec_msg_count(struct ontb_ntb *ntb);
int ontb_swtec_msg_read(struct ontb_ntb *ntb, unsigned int idx, unsigned int *peer, uint32_t *value);
int ontb_swtec_peer_msg_write(struct ontb_ntb *ntb, unsigned int peer, unsigned int idx, uint32_t value);

/* Guard: switchtec_guard.c */

/**
 * ontb_swtec_find_guard() - look for the extension
 * @sw: Driver.
 *
 * Return: Slots, 0 if there is none or it makes no sense.
 */
unsigned int ontb_swtec_find_guard(const struct ontb_swtec *sw);

/**
 * ontb_swtec_reset_guard() - switch it off and close all slots
 * @sw: Driver; one without a guard is fine.
 */
void ontb_swtec_reset_guard(struct ontb_swtec *sw);

/* Operations, see struct ontb_ntb_ops. */
unsigned int ontb_swtec_guard_size(struct ontb_ntb *ntb);
int ontb_swtec_guard_set(struct ontb_ntb *ntb, unsigned int slot, const struct ontb_msi_msg *msg);
int ontb_swtec_guard_enable(struct ontb_ntb *ntb, bool on);

#endif
