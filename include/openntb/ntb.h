/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A host's view of a non-transparent bridge: what Linux calls struct ntb_dev.
 *
 * A driver for one part fills struct ontb_ntb_ops; ontb_ntb_ops_check() refuses a set with holes, so callers of the functions
 * below never meet half an implementation: what a part lacks gives -EOPNOTSUPP, never a silent 0.
 *
 * Directions: an *inbound* window is a stretch of this host's memory that a peer sees; the *outbound* window of the same number
 * is what this host writes to in order to reach the peer's.
 */
#ifndef OPENNTB_NTB_H
#define OPENNTB_NTB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openntb/msi.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ontb_pages;
struct ontb_worker_pool;
struct ontb_ntb;

#define ONTB_NTB_MAX_PEERS   8U
#define ONTB_NTB_MAX_WINDOWS 64U /* per peer */

/**
 * struct ontb_ntb_window - limits of a window
 * @addr_align: The address must be a multiple of this, a power of two; 0 means of its size rounded up to a power of two.
 * @size_align: The size too, a power of two.
 * @size_max:   Bytes at most.
 */
struct ontb_ntb_window {
	uint64_t addr_align;
	uint64_t size_align;
	uint64_t size_max;
};

/**
 * struct ontb_ntb_ops - what a driver does
 *
 * @peer is 0..nr_peers-1, @window 0..nr_windows-1; the caller has checked both. None is called with a lock of the caller's
 * held, and any thread may call. Groups marked (all or none) are given whole or not at all.
 *
 * What one thread writes towards a peer, by whichever operations, arrives in the order of the calls: window and page stores,
 * doorbells, scratchpads and message registers are posted writes through one bridge, and those do not pass each other (PCI Express
 * Base Specification, 2.4.1 "Transaction Ordering Rules"). A part for which that does not hold has to wait in between.
 * ontb_ntb_irqs_new() relies on it.
 */
struct ontb_ntb_ops {
	/** @name: Of the part, such as "switchtec". */
	const char *name;
	/** @link_enable: Be ready to talk; link_event follows when the peer is too. Required. */
	int (*link_enable)(struct ontb_ntb *ntb);
	/** @link_disable: Stop. Required. */
	void (*link_disable)(struct ontb_ntb *ntb);
	/** @link_is_up: Whether a peer's driver is there and ready. Required. */
	bool (*link_is_up)(struct ontb_ntb *ntb, unsigned int peer);

	/** @window_limits: Of inbound window @window. Required. May need the link. */
	int (*window_limits)(struct ontb_ntb *ntb, unsigned int peer, unsigned int window,
			     struct ontb_ntb_window *limits);
	/** @window_open: Let the peer see [@addr, @addr + @size) of this host through @window. Blocks. Required. */
	int (*window_open)(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t addr, uint64_t size);
	/**
	 * @window_close: On success nothing that the peer writes there arrives any more; -EFAULT says that the function is gone.
	 * Blocks. Required.
	 */
	int (*window_close)(struct ontb_ntb *ntb, unsigned int peer, unsigned int window);
	/** @peer_window_size: Bytes of the outbound window that can be used now. Required. */
	uint64_t (*peer_window_size)(struct ontb_ntb *ntb, unsigned int peer, unsigned int window);
	/** @peer_write32: Posted store of 4 bytes into the outbound window; the hot path. Required. */
	void (*peer_write32)(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset,
			     uint32_t value);
	/** @peer_write: Posted stores of many bytes, ascending. Required. */
	void (*peer_write)(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset,
			   const void *buf, size_t len);
	/** @peer_read: Loads; pushes the stores before it. Required. */
	void (*peer_read)(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset, void *buf,
			  size_t len);

	/** @db_valid: Bits that a peer can set here. Doorbells: all or none. */
	uint64_t (*db_valid)(struct ontb_ntb *ntb);
	/** @db_read: Pending bits. */
	uint64_t (*db_read)(struct ontb_ntb *ntb);
	/** @db_clear: Clear pending bits. */
	void (*db_clear)(struct ontb_ntb *ntb, uint64_t bits);
	/** @db_mask: Let bits not interrupt. */
	void (*db_mask)(struct ontb_ntb *ntb, uint64_t bits);
	/** @db_unmask: Let them; one that is pending interrupts now. */
	void (*db_unmask)(struct ontb_ntb *ntb, uint64_t bits);
	/** @peer_db_set: Ring. */
	void (*peer_db_set)(struct ontb_ntb *ntb, unsigned int peer, uint64_t bits);

	/** @spad_count: Scratchpads of 32 bits, both ways each. Scratchpads: all or none. */
	unsigned int (*spad_count)(struct ontb_ntb *ntb);
	/** @spad_read: One that a peer wrote for this host. */
	uint32_t (*spad_read)(struct ontb_ntb *ntb, unsigned int idx);
	/** @spad_write: This host's own copy. */
	void (*spad_write)(struct ontb_ntb *ntb, unsigned int idx, uint32_t value);
	/** @peer_spad_read: The peer's copy. */
	uint32_t (*peer_spad_read)(struct ontb_ntb *ntb, unsigned int peer, unsigned int idx);
	/** @peer_spad_write: For the peer to read. */
	void (*peer_spad_write)(struct ontb_ntb *ntb, unsigned int peer, unsigned int idx, uint32_t value);

	/** @msg_count: Message registers of 32 bits that clients may use. Messages: all or none. */
	unsigned int (*msg_count)(struct ontb_ntb *ntb);
	/**
	 * @msg_read: Take a message. Return: 0, -EAGAIN (none), with the peer it came from. While a register is full the driver
	 * sees to it that ontb_ntb_message_event() is called, at once or later.
	 */
	int (*msg_read)(struct ontb_ntb *ntb, unsigned int idx, unsigned int *peer, uint32_t *value);
	/** @peer_msg_write: Send. Return: 0, -EAGAIN (the peer has not taken the last one; parts that cannot tell overwrite it). */
	int (*peer_msg_write)(struct ontb_ntb *ntb, unsigned int peer, unsigned int idx, uint32_t value);

	/**
	 * @page: A page shared with each peer, beyond what the driver itself needs. Shared page: all or none.
	 * Local memory that the peer writes to (with release by the part's ordering: data before flags) and its size.
	 */
	void *(*page)(struct ontb_ntb *ntb, unsigned int peer, size_t *size);
	/** @peer_page_write: Posted stores into the peer's page, ascending, in order with window writes and doorbells. */
	void (*peer_page_write)(struct ontb_ntb *ntb, unsigned int peer, size_t offset, const void *buf, size_t len);

	/** @guard_size: Messages that the part's filter can hold; 0 if it has none now. Guard: all or none. */
	unsigned int (*guard_size)(struct ontb_ntb *ntb);
	/**
	 * @guard_set: Let the message (@msg) of slot @slot pass from any peer; NULL closes the slot. On success what was in the
	 * slot before does not pass any more.
	 */
	int (*guard_set)(struct ontb_ntb *ntb, unsigned int slot, const struct ontb_msi_msg *msg);
	/** @guard_enable: Whether only messages in slots pass to interrupt addresses. */
	int (*guard_enable)(struct ontb_ntb *ntb, bool on);
};

/**
 * struct ontb_ntb_events - what a client wants to know; all may be NULL
 *
 * Called from a worker, one at a time, no lock held; may block and may call everything but ontb_ntb_set_client().
 */
struct ontb_ntb_events {
	/** @link: The link to a peer went up or down; look with ontb_ntb_link_is_up(). */
	void (*link)(void *client, unsigned int peer);
	/** @doorbell: Bits became pending; read and clear them. */
	void (*doorbell)(void *client);
	/** @message: A message register has something. */
	void (*message)(void *client);
};

/**
 * struct ontb_ntb_config - what the driver says when it registers
 * @ops:        Operations; constant.
 * @driver:     The driver's own, see ontb_ntb_driver().
 * @name:       Shown, such as "0000:00:02.0"; copied.
 * @msi:        The function's MSI device: NTB interrupts get a domain in one of its slots. Borrowed.
 * @nr_peers:   1..ONTB_NTB_MAX_PEERS.
 * @nr_windows: Windows per peer, 1..ONTB_NTB_MAX_WINDOWS.
 * @workers:    Where events run. Borrowed.
 * @pages:      Where memory for devices comes from. Borrowed.
 */
struct ontb_ntb_config {
	const struct ontb_ntb_ops *ops;
	void *driver;
	const char *name;
	struct ontb_msi_dev *msi;
	unsigned int nr_peers;
	unsigned int nr_windows;
	struct ontb_worker_pool *workers;
	struct ontb_pages *pages;
};

/**
 * ontb_ntb_ops_check() - whether a set of operations is whole
 * @ops: Operations.
 *
 * Return: NULL if it is, otherwise the name of what is missing.
 */
const char *ontb_ntb_ops_check(const struct ontb_ntb_ops *ops);

/**
 * ontb_ntb_new() - for drivers: register a bridge
 * @config: Bridge; copied.
 * @out:    OUT.
 *
 * Context: Any thread.
 * Return: 0, -EINVAL (ontb_ntb_ops_check() fails or a count is outside its range; logged), -ENOMEM, or what a worker said.
 */
int ontb_ntb_new(const struct ontb_ntb_config *config, struct ontb_ntb **out);

/**
 * ontb_ntb_free() - for drivers: unregister; no event runs any more on return
 * @ntb: Bridge without a client, or NULL.
 */
void ontb_ntb_free(struct ontb_ntb *ntb);

/**
 * ontb_ntb_driver() - for drivers: what was registered
 * @ntb: Bridge.
 *
 * Return: As configured.
 */
void *ontb_ntb_driver(const struct ontb_ntb *ntb);

/**
 * ontb_ntb_link_event() - for drivers: the link to a peer may have changed
 * @ntb:  Bridge.
 * @peer: Peer.
 *
 * Context: Any, also a handler.
 */
void ontb_ntb_link_event(struct ontb_ntb *ntb, unsigned int peer);

/**
 * ontb_ntb_doorbell_event() - for drivers: doorbell bits became pending
 * @ntb: Bridge.
 *
 * Context: Any, also a handler.
 */
void ontb_ntb_doorbell_event(struct ontb_ntb *ntb);

/**
 * ontb_ntb_message_event() - for drivers: a message came
 * @ntb: Bridge.
 *
 * Context: Any, also a handler.
 */
void ontb_ntb_message_event(struct ontb_ntb *ntb);

/**
 * ontb_ntb_flush_events() - for drivers: wait until the client has heard of all events so far
 * @ntb: Bridge.
 *
 * Events merge. A driver that has taken a link down calls this before it may bring it up again, or the client would see
 * nothing but a link that is up.
 *
 * Context: Not an event, not a handler; no lock held that an event may take. In a stepped pool events run here.
 */
void ontb_ntb_flush_events(struct ontb_ntb *ntb);

/**
 * ontb_ntb_set_client() - use a bridge
 * @ntb:    Bridge.
 * @events: What to be told, constant over the use; NULL ends the use, and on return no event runs any more.
 * @client: For @events.
 *
 * Context: Not an event.
 * Return: 0, or
 *         -EBUSY  it has a client.
 */
int ontb_ntb_set_client(struct ontb_ntb *ntb, const struct ontb_ntb_events *events, void *client);

/**
 * ontb_ntb_name() - name of a bridge
 * @ntb: Bridge.
 *
 * Return: Text that lives as long as the bridge.
 */
const char *ontb_ntb_name(const struct ontb_ntb *ntb);

/**
 * ontb_ntb_nr_peers() - peers
 * @ntb: Bridge.
 *
 * Return: 1..ONTB_NTB_MAX_PEERS.
 */
unsigned int ontb_ntb_nr_peers(const struct ontb_ntb *ntb);

/**
 * ontb_ntb_nr_windows() - windows per peer
 * @ntb: Bridge.
 *
 * Return: How many.
 */
unsigned int ontb_ntb_nr_windows(const struct ontb_ntb *ntb);

/**
 * ontb_ntb_msi() - the function's MSI device
 * @ntb: Bridge.
 *
 * Return: As registered.
 */
struct ontb_msi_dev *ontb_ntb_msi(const struct ontb_ntb *ntb);

/**
 * ontb_ntb_workers() - where the bridge's work runs
 * @ntb: Bridge.
 *
 * Return: As registered.
 */
struct ontb_worker_pool *ontb_ntb_workers(const struct ontb_ntb *ntb);

/**
 * ontb_ntb_pages() - where memory for devices comes from
 * @ntb: Bridge.
 *
 * Return: As registered.
 */
struct ontb_pages *ontb_ntb_pages(const struct ontb_ntb *ntb);

/**
 * ontb_ntb_ops() - the driver's operations, for hot paths that have checked their arguments once
 * @ntb: Bridge.
 *
 * Return: As registered.
 */
const struct ontb_ntb_ops *ontb_ntb_ops(const struct ontb_ntb *ntb);

/*
 * The operations with their arguments checked. Whatever the operation, the checks come in this order:
 *
 *   -EOPNOTSUPP  the part lacks it.
 *   -ERANGE      no such peer, window, index, offset or bit; for a range, also one that ends outside.
 *   -EINVAL      an address, size or alignment that the part forbids.
 *   -ENOLINK     the link to the peer is down, and the operation reaches out to it.
 *
 * An error means that nothing was done. A function that returns no int gives 0, false or NULL instead. Unless it says
 * "blocks", each may be called by any thread and in a handler.
 */

/**
 * ontb_ntb_link_enable() - be ready to talk to peers
 * @ntb: Bridge.
 *
 * Context: Any thread. Blocks.
 * Return: 0, or what the driver said.
 */
int ontb_ntb_link_enable(struct ontb_ntb *ntb);

/**
 * ontb_ntb_link_disable() - stop; peers are told
 * @ntb: Bridge.
 *
 * Context: Any thread. Blocks.
 */
void ontb_ntb_link_disable(struct ontb_ntb *ntb);

/**
 * ontb_ntb_link_is_up() - whether a peer's driver is there and both sides have the link enabled
 * @ntb:  Bridge.
 * @peer: Peer; one that is not there is never up.
 *
 * Context: Any thread.
 * Return: True if it is.
 */
bool ontb_ntb_link_is_up(struct ontb_ntb *ntb, unsigned int peer);

/**
 * ontb_ntb_window_limits() - what an inbound window can be
 * @ntb:    Bridge.
 * @peer:   Peer.
 * @window: Window.
 * @limits: OUT.
 *
 * Context: Any thread. Blocks.
 * Return: 0, or
 *         -ERANGE   no such peer or window.
 *         -ENOLINK  the peer has to say how large its window is, and has not.
 *         -EPROTO   what it said makes no sense.
 */
int ontb_ntb_window_limits(struct ontb_ntb *ntb, unsigned int peer, unsigned int window,
			   struct ontb_ntb_window *limits);

/**
 * ontb_ntb_window_open() - let a peer see a stretch of this host
 * @ntb:    Bridge.
 * @peer:   Peer.
 * @window: Window; one that is open is moved.
 * @addr:   First address, aligned as ontb_ntb_window_limits() says.
 * @size:   Bytes, likewise.
 *
 * Context: Any thread. Blocks.
 * Return: 0, or
 *         -ERANGE     no such peer or window.
 *         -EINVAL     @addr or @size breaks a limit.
 *         -ENOLINK    as ontb_ntb_window_limits(), and so on.
 *         -ETIMEDOUT  the part did not answer in time; the window may be anything until it was closed.
 *         -EIO        the part refused; logged with what it said; the window is closed.
 */
int ontb_ntb_window_open(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t addr, uint64_t size);

/**
 * ontb_ntb_window_close() - stop showing it
 * @ntb:    Bridge.
 * @peer:   Peer.
 * @window: Window; one that is closed is fine.
 *
 * On success nothing that the peer writes there arrives any more.
 *
 * Context: Any thread. Blocks.
 * Return: 0, or
 *         -ERANGE             no such peer or window.
 *         -EFAULT             the function is gone. Nothing arrives while it is, nor after it comes back by a reset, as it does if
 *                             it was unplugged; whoever goes on until it is back closes the window then.
 *         -ETIMEDOUT or -EIO  as above.
 */
int ontb_ntb_window_close(struct ontb_ntb *ntb, unsigned int peer, unsigned int window);

/**
 * ontb_ntb_window_claim() - say that a window is in use, so that nobody else takes it
 * @ntb:    Bridge.
 * @peer:   Peer.
 * @window: Window.
 *
 * Nothing stops who opens a window without having claimed it; those of this library claim what they use.
 *
 * Context: Any thread.
 * Return: 0, or
 *         -ERANGE  no such peer or window.
 *         -EBUSY   somebody has it.
 */
int ontb_ntb_window_claim(struct ontb_ntb *ntb, unsigned int peer, unsigned int window);

/**
 * ontb_ntb_window_release() - undo ontb_ntb_window_claim()
 * @ntb:    Bridge.
 * @peer:   Peer.
 * @window: Window that is closed.
 *
 * Context: Any thread.
 */
void ontb_ntb_window_release(struct ontb_ntb *ntb, unsigned int peer, unsigned int window);

/**
 * ontb_ntb_peer_window_size() - bytes of an outbound window
 * @ntb:    Bridge.
 * @peer:   Peer.
 * @window: Window.
 *
 * How much of it the peer has opened is the peer's business: what it has not is dropped, and reads as all ones.
 *
 * Context: Any thread.
 * Return: Bytes, 0 for a window that is not there.
 */
uint64_t ontb_ntb_peer_window_size(struct ontb_ntb *ntb, unsigned int peer, unsigned int window);

/**
 * ontb_ntb_peer_write32() - posted store of 4 bytes into an outbound window
 * @ntb:    Bridge.
 * @peer:   Peer.
 * @window: Window.
 * @offset: In it, a multiple of 4.
 * @value:  Stored little endian.
 *
 * Context: Any thread.
 * Return: 0, -ERANGE, -EINVAL (alignment) or -ENOLINK.
 */
int ontb_ntb_peer_write32(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset,
			  uint32_t value);

/**
 * ontb_ntb_peer_write() - posted stores of many bytes, ascending
 * @ntb:    Bridge.
 * @peer:   Peer.
 * @window: Window.
 * @offset: In it.
 * @buf:    Bytes.
 * @len:    How many; 0 is fine.
 *
 * Context: Any thread.
 * Return: 0, -ERANGE or -ENOLINK.
 */
int ontb_ntb_peer_write(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset, const void *buf,
			size_t len);

/**
 * ontb_ntb_peer_read() - load through an outbound window; pushes the stores before it
 * @ntb:    Bridge.
 * @peer:   Peer.
 * @window: Window.
 * @offset: In it.
 * @buf:    OUT.
 * @len:    Bytes; 0 is fine.
 *
 * Context: Any thread. Waits for the peer's memory.
 * Return: 0, -ERANGE or -ENOLINK. What nothing answers is all ones, also if the peer dies meanwhile.
 */
int ontb_ntb_peer_read(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset, void *buf,
		       size_t len);

/**
 * ontb_ntb_db_valid() - doorbell bits that a peer can set here, and that can be set there
 * @ntb: Bridge.
 *
 * Context: Any thread.
 * Return: Bits, 0 if the part has no doorbells.
 */
uint64_t ontb_ntb_db_valid(struct ontb_ntb *ntb);

/**
 * ontb_ntb_db_read() - pending doorbell bits
 * @ntb: Bridge.
 *
 * Context: Any thread.
 * Return: Bits, 0 if the part has no doorbells.
 */
uint64_t ontb_ntb_db_read(struct ontb_ntb *ntb);

/**
 * ontb_ntb_db_clear() - clear pending doorbell bits
 * @ntb:  Bridge.
 * @bits: Bits.
 *
 * Context: Any thread.
 * Return: 0, -EOPNOTSUPP, or -ERANGE (a bit that is not valid).
 */
int ontb_ntb_db_clear(struct ontb_ntb *ntb, uint64_t bits);

/**
 * ontb_ntb_db_mask() - let doorbell bits not interrupt
 * @ntb:  Bridge.
 * @bits: Bits; all are masked at first.
 *
 * Context: Any thread.
 * Return: 0, -EOPNOTSUPP, or -ERANGE (a bit that is not valid).
 */
int ontb_ntb_db_mask(struct ontb_ntb *ntb, uint64_t bits);

/**
 * ontb_ntb_db_unmask() - let them interrupt; one that is pending does so now
 * @ntb:  Bridge.
 * @bits: Bits.
 *
 * Context: Any thread.
 * Return: 0, -EOPNOTSUPP, or -ERANGE (a bit that is not valid).
 */
int ontb_ntb_db_unmask(struct ontb_ntb *ntb, uint64_t bits);

/**
 * ontb_ntb_peer_db_set() - ring a peer
 * @ntb:  Bridge.
 * @peer: Peer.
 * @bits: Bits.
 *
 * Context: Any thread. What this thread stored into windows of that peer before arrives before it.
 * Return: 0, -EOPNOTSUPP, -ERANGE (no such peer, or a bit that is not valid), or -ENOLINK.
 */
int ontb_ntb_peer_db_set(struct ontb_ntb *ntb, unsigned int peer, uint64_t bits);

/**
 * ontb_ntb_spad_count() - scratchpads
 * @ntb: Bridge.
 *
 * Context: Any thread.
 * Return: How many each way, 0 if the part has none.
 */
unsigned int ontb_ntb_spad_count(struct ontb_ntb *ntb);

/**
 * ontb_ntb_spad_read() - read one that a peer wrote for this host
 * @ntb:   Bridge.
 * @idx:   Scratchpad.
 * @value: OUT.
 *
 * Context: Any thread.
 * Return: 0, -EOPNOTSUPP or -ERANGE.
 */
int ontb_ntb_spad_read(struct ontb_ntb *ntb, unsigned int idx, uint32_t *value);

/**
 * ontb_ntb_spad_write() - change this host's own copy
 * @ntb:   Bridge.
 * @idx:   Scratchpad.
 * @value: Value.
 *
 * Context: Any thread.
 * Return: 0, -EOPNOTSUPP or -ERANGE.
 */
int ontb_ntb_spad_write(struct ontb_ntb *ntb, unsigned int idx, uint32_t value);

/**
 * ontb_ntb_peer_spad_read() - read a peer's copy
 * @ntb:   Bridge.
 * @peer:  Peer.
 * @idx:   Scratchpad.
 * @value: OUT.
 *
 * Context: Any thread. Waits for the peer's memory if they lie there.
 * Return: 0, -EOPNOTSUPP, -ERANGE or -ENOLINK.
 */
int ontb_ntb_peer_spad_read(struct ontb_ntb *ntb, unsigned int peer, unsigned int idx, uint32_t *value);

/**
 * ontb_ntb_peer_spad_write() - write one for a peer to read
 * @ntb:   Bridge.
 * @peer:  Peer.
 * @idx:   Scratchpad.
 * @value: Value.
 *
 * Context: Any thread.
 * Return: 0, -EOPNOTSUPP, -ERANGE or -ENOLINK.
 */
int ontb_ntb_peer_spad_write(struct ontb_ntb *ntb, unsigned int peer, unsigned int idx, uint32_t value);

/**
 * ontb_ntb_msg_count() - message registers that clients may use
 * @ntb: Bridge.
 *
 * Context: Any thread.
 * Return: How many, 0 if the part has none.
 */
unsigned int ontb_ntb_msg_count(struct ontb_ntb *ntb);

/**
 * ontb_ntb_msg_read() - take a message
 * @ntb:   Bridge.
 * @idx:   Message register.
 * @peer:  OUT, who sent it.
 * @value: OUT.
 *
 * Context: Any thread.
 * Return: 0, -EOPNOTSUPP, -ERANGE, or -EAGAIN (there is none).
 */
int ontb_ntb_msg_read(struct ontb_ntb *ntb, unsigned int idx, unsigned int *peer, uint32_t *value);

/**
 * ontb_ntb_peer_msg_write() - send a message
 * @ntb:   Bridge.
 * @peer:  Peer.
 * @idx:   Message register.
 * @value: Value.
 *
 * Context: Any thread.
 * Return: 0, -EOPNOTSUPP, -ERANGE, -ENOLINK, or -EAGAIN (the last one was not taken yet; parts that cannot tell overwrite it).
 */
int ontb_ntb_peer_msg_write(struct ontb_ntb *ntb, unsigned int peer, unsigned int idx, uint32_t value);

/**
 * ontb_ntb_page() - the page of this host that a peer writes to
 * @ntb:  Bridge.
 * @peer: Peer.
 * @size: OUT, bytes; 0 if there is none.
 *
 * Context: Any thread.
 * Return: Memory that changes at any time, or NULL if there is none.
 */
void *ontb_ntb_page(struct ontb_ntb *ntb, unsigned int peer, size_t *size);

/**
 * ontb_ntb_peer_page_write() - posted stores into a peer's page
 * @ntb:    Bridge.
 * @peer:   Peer.
 * @offset: In the page.
 * @buf:    Bytes.
 * @len:    How many; 0 is fine.
 *
 * Context: Any thread.
 * Return: 0, -EOPNOTSUPP, -ERANGE or -ENOLINK.
 */
int ontb_ntb_peer_page_write(struct ontb_ntb *ntb, unsigned int peer, size_t offset, const void *buf, size_t len);

/**
 * ontb_ntb_guard_size() - messages that the part's filter can hold
 * @ntb: Bridge.
 *
 * Context: Any thread.
 * Return: Slots, 0 if there is no filter.
 */
unsigned int ontb_ntb_guard_size(struct ontb_ntb *ntb);

/**
 * ontb_ntb_guard_set() - let a message pass, or no longer
 * @ntb:  Bridge.
 * @slot: Slot.
 * @msg:  Message that passes from any peer; NULL closes the slot. On return a message that was in the slot and is in no
 *        other does not arrive any more.
 *
 * Context: Any thread. Blocks.
 * Return: 0, -EOPNOTSUPP, -ERANGE, or what the driver said (-EFAULT: the function is gone); the slot is closed then.
 */
int ontb_ntb_guard_set(struct ontb_ntb *ntb, unsigned int slot, const struct ontb_msi_msg *msg);

/**
 * ontb_ntb_guard_enable() - whether only messages in slots pass to this host's interrupt addresses
 * @ntb: Bridge.
 * @on:  Whether.
 *
 * Context: Any thread. Blocks.
 * Return: 0, -EOPNOTSUPP, or what the driver said.
 */
int ontb_ntb_guard_enable(struct ontb_ntb *ntb, bool on);

#ifdef __cplusplus
}
#endif

#endif
